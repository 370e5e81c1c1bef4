"""The source of samples: the audio of a data directory, read again utterance by utterance."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from deep_speaker.features.recordings import iterate_recordings
from deep_speaker.kaldi.audio import open_audio, read_samples
from deep_speaker.kaldi.audio_files import AudioFile
from deep_speaker.kaldi.wav_entries import state_of_entry


class SampleSource:
    """Samples of the utterances of a data directory, as stage 1 reads them.

    The last recording stays open, as its command may take long, and its segments mostly follow one
    another.
    """

    def __init__(self, data_dir: Path, sampling_rate: int) -> None:
        self._data_dir = data_dir
        self._sampling_rate = sampling_rate
        self._places = {
            utterance: (recording.entry, segment)
            for recording in iterate_recordings(data_dir)
            for utterance, segment in recording.utterances
        }
        self._order = {utterance: number for number, utterance in enumerate(self._places)}
        self._entry = ""
        self._file: AudioFile | None = None

    def in_order(self, utterances: Iterable[str]) -> list[str]:
        """Sort utterances so that those of a recording follow one another."""
        return sorted(utterances, key=self._order.__getitem__)

    def identify(self, utterance: str) -> str:
        """Return what tells whether an utterance's samples are still the same, without reading.

        Its entry of wav.scp and segment, and the size and time of the file behind the entry.
        """
        entry, segment = self._places[utterance]
        return repr((entry, segment, state_of_entry(entry)))

    def read(self, utterance: str) -> np.ndarray:
        """Read an utterance on the scale of 16-bit integers: float32, shape (num_samples,).

        Raises:
            ValueError: its audio, which stage 1 could decode, cannot be decoded any more.
        """
        entry, segment = self._places[utterance]
        start, end = (segment.start, segment.end) if segment else (0.0, None)
        try:
            return read_samples(self._open(entry), self._sampling_rate, start, end)
        except ValueError as error:
            raise ValueError(
                f"{self._data_dir}/wav.scp: {utterance!r}: {error}: mend what it names; of "
                "sample_crops, or set extraction.method to crops, which reads the features alone"
            ) from error

    def _open(self, entry: str) -> AudioFile:
        """Open a recording, or return it if it is the last that was opened."""
        if self._file is None or entry != self._entry:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._file, self._entry = open_audio(entry), entry
        return self._file
