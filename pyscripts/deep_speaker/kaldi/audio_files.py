"""Open recordings, whose length is what can be decoded, not what their headers say."""

from collections.abc import Iterator

import numpy as np
import soundfile

from deep_speaker.kaldi.audio_bytes import UNKNOWN, Sound, Source, explain, open_sound
from deep_speaker.kaldi.wav_entries import AudioInfo

BLOCK = 1 << 16  # samples that are decoded at once: so many stay in the cache


class AudioFile:
    """An open recording that can be read at any place, in order best.

    Where libsndfile cannot seek, it is read forward. What is read is kept until a later place is
    read, as segments may overlap; an earlier place is read from the beginning again.

    Attributes:
        samplerate, channels: as in soundfile.
        channel: which of them `audio.read_samples` takes, from 0.
        claimed: samples; as in the header (`UNKNOWN` where that tells none) until decoding shows
            another length.
    """

    def __init__(self, source: Source, channel: int = 0) -> None:
        self._source = source
        self.channel = channel
        self._open()
        self.samplerate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.claimed: int = self._header.frames

    def _open(self) -> None:
        self._header = open_sound(self._source)
        self._sound = self._header.sound
        self._position = self._held_from = 0
        self._held = np.empty((0, self._sound.channels), dtype=np.float32)

    def __enter__(self) -> "AudioFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._sound.close()

    @property
    def frames(self) -> int:
        """The number of samples: those that the header claims, or those that are decoded."""
        if self.claimed >= UNKNOWN:
            self.count()
        return self.claimed

    @property
    def info(self) -> AudioInfo:
        """The header.

        Raises:
            ValueError: the file holds no samples.
        """
        if not self.frames:
            raise ValueError("no samples")
        form = (self._header.format, self._sound.subtype, self._header.plain)
        return AudioInfo(self.samplerate, self.frames, self.channels, *form)

    def read(self, first: int, last: int) -> np.ndarray:
        """Read samples `first` up to `last`, or up to the end: float32, (samples, channels).

        Where the end comes first, `claimed` is the decoded length from then on.

        Raises:
            ValueError: they cannot be decoded.
        """
        blocks = list(self.blocks(first, last))
        if len(blocks) == 1:
            return blocks[0]
        return np.concatenate([np.empty((0, self.channels), dtype=np.float32), *blocks])

    def blocks(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Read the same, at most `BLOCK` samples at a time."""
        start = first
        while start < last:
            wanted = min(BLOCK, last - start)
            found = self._read_block(start, start + wanted)
            start += len(found)
            if len(found):
                yield found
            if len(found) < wanted:
                self.claimed = start if start > first else self.count()
                return

    def _read_block(self, first: int, last: int) -> np.ndarray:
        try:
            read = self._read_at if self._sound.can_seek() else self._read_on
            return read(first, last)
        except soundfile.LibsndfileError as error:
            self.close()  # what follows damage may still be read by another segment
            self._open()
            raise ValueError(explain(error)) from error

    def _read_at(self, first: int, last: int) -> np.ndarray:
        if first != self._position:
            try:
                self._sound.seek(first)
            except soundfile.LibsndfileError:
                self.close()
                self._open()
                if first < self.count():
                    raise
                return self._held
            self._position = first
        return self._decode(last - first)

    def _read_on(self, first: int, last: int) -> np.ndarray:
        if first < self._held_from:
            self.close()
            self._open()
        self._held = self._held[first - self._held_from :]
        while self._position < first and len(self._decode(min(BLOCK, first - self._position))):
            pass
        self._held_from = first
        more = self._decode(max(0, last - self._position))
        self._held = np.concatenate([self._held, more])
        return self._held[: last - first]

    def _decode(self, count: int) -> np.ndarray:
        """Decode the next samples, as many as there are."""
        found: np.ndarray = self._sound.read(count, dtype="float32", always_2d=True)
        self._position += len(found)
        return found

    def count(self) -> int:
        """Count the samples by decoding all of them, a block at a time, and claim as many.

        Raises:
            ValueError: they cannot be decoded.
        """
        self.claimed = count_samples(open_sound(self._source).sound)
        return self.claimed


def count_samples(sound: Sound) -> int:
    """Decode the rest of a file, and close it.

    Raises:
        ValueError: it cannot be decoded.
    """
    total = 0
    try:
        with sound:
            while found := len(sound.read(BLOCK, dtype="float32", always_2d=True)):
                total += found
    except soundfile.LibsndfileError as error:
        raise ValueError(explain(error)) from error
    return total
