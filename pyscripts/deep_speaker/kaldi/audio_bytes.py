"""Bytes of audio: files, parts of archives and what commands print, as libsndfile reads them.

A WAV header may leave its length open, as a writer that could not go back to it does. Kaldi reads
such a file to its end, and libsndfile does so too where the header begins with `OPEN_HEADER`.
"""

import io
import shlex
from pathlib import Path
from typing import BinaryIO, NamedTuple

import soundfile

from deep_speaker.kaldi.wav_entries import (
    FFMPEG_SUFFIXES,
    AudioInfo,
    archive_of_entry,
    file_of_entry,
    wav_entry,
)

OPEN_HEADER = b"RIFF\x08\x00\x00\x00"
OPEN_SIZES = (0, 0xFFFFFFFF)  # of RIFF headers that do not know theirs


class Place(NamedTuple):
    """Bytes of a file from an offset on, up to `end`; None: up to the file's end."""

    path: Path
    begin: int
    end: int | None = None


Source = Path | Place | bytes


class Part(io.RawIOBase):
    """A part of an open file, which looks like a file of its own.

    Args:
        file: closed with the part.
        begin, end: the first byte and the one after the last; None: up to the file's end.
        head: bytes to read in place of the first ones.
    """

    def __init__(
        self, file: BinaryIO, begin: int = 0, end: int | None = None, head: bytes = b""
    ) -> None:
        self._file, self._begin, self._head = file, begin, head
        last = file.seek(0, io.SEEK_END)
        self._length = max(0, min(last, last if end is None else end) - begin)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer
        self._file.seek(self._begin + self._position)
        data = self._file.read(max(0, min(len(buffer), self._length - self._position)))
        head = self._head[self._position :][: len(data)]
        buffer[: len(data)] = head + data[len(head) :]
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class Sound(soundfile.SoundFile):
    """An open file that soundfile only reads forward, and does not seek in after each read.

    That would fail at the end of a FLAC file whose header has no length, or claims too much.
    """

    def seekable(self) -> bool:
        return False

    def can_seek(self) -> bool:
        """Tell whether libsndfile can seek in it."""
        return bool(soundfile.SoundFile.seekable(self))


class Opened(NamedTuple):
    """An open source.

    Attributes:
        format: libsndfile's name.
        known: libsndfile knows its length by its own header.
    """

    sound: Sound
    format: str
    known: bool


def open_sound(source: Source) -> Opened:
    """Open a source; of WAV whose header leaves the length open, with the length that is there.

    Raises:
        ValueError: it cannot be decoded.
    """
    try:
        sound = Sound(str(source) if isinstance(source, Path) else open_bytes(source))
        if sound.frames > 0 or sound.format not in ("WAV", "WAVEX", "RF64"):
            return Opened(sound, sound.format, True)
        open_ended = Sound(Part(open_bytes(source), head=OPEN_HEADER))
        return Opened(open_ended, sound.format, False)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(explain(error)) from error


def explain(error: soundfile.LibsndfileError | OSError) -> str:
    """Return what is wrong with audio that cannot be decoded."""
    problem = str(getattr(error, "error_string", error)).rstrip(".")
    return f"unreadable: {problem or 'damaged'}"


def open_bytes(source: Source) -> BinaryIO:
    """Open the bytes of a source."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, Path):
        return source.open("rb")
    part: BinaryIO = Part(source.path.open("rb"), source.begin, source.end)  # type: ignore[assignment]
    return part


def find_archived(path: Path, offset: int) -> Place:
    """Find where audio in an archive ends: WAV as wav-copy writes it, or what kaldiio writes.

    kaldiio writes `AUDIO`, the number of bytes of the length, the length, and a file of any form.
    Other files end where libsndfile finds them to.

    Raises:
        OSError: the archive cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        head = file.read(16)
    if head[:5] == b"AUDIO":
        begin = 6 + head[5]
        length = int.from_bytes(head[6:begin], "little")
        return Place(path, offset + begin, offset + begin + length)
    size = int.from_bytes(head[4:8], "little")
    if head[:4] == b"RIFF" and size not in OPEN_SIZES:
        return Place(path, offset, offset + 8 + size)
    return Place(path, offset)


def printing_command(entry: str, info: AudioInfo) -> str | None:
    """Return the shell command that prints an entry's audio, so that any reader of files reads it.

    None: libsndfile reads the file at any place by itself.
    """
    archived = archive_of_entry(entry)
    if archived:
        place = find_archived(*archived)
        return print_part(place, info)
    path = file_of_entry(entry)
    if path is None:
        return entry.removesuffix("|").strip()
    if info.plain and path.suffix.lower() not in FFMPEG_SUFFIXES:
        return None
    entry = wav_entry(path, info)
    if entry.endswith("|"):
        return entry.removesuffix("|").strip()
    return print_part(Place(path.absolute(), 0), info)


def print_part(place: Place, info: AudioInfo) -> str:
    """Return the command that prints a part of a file, with a header that libsndfile reads."""
    begin, name = place.begin, shlex.quote(str(place.path))
    head = ""
    if not info.plain and info.format in ("WAV", "WAVEX"):
        head, begin = r"printf 'RIFF\010\000\000\000'; ", begin + len(OPEN_HEADER)
    command = f"{head}tail -c +{begin + 1} {name}"
    return command if place.end is None else f"{command} | head -c {place.end - begin}"
