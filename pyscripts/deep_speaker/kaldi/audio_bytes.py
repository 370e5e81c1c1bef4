"""Bytes of audio: files, parts of archives and what commands print, as libsndfile reads them.

A WAV header may leave its length open, as a writer that could not go back to it does. Kaldi reads
such a file to its end, and libsndfile does so too where the header begins with `OPEN_HEADER`.
"""

import io
from pathlib import Path
from typing import BinaryIO, NamedTuple

import soundfile

from deep_speaker.kaldi.file_parts import Part, Stretched

OPEN_HEADER = b"RIFF\x08\x00\x00\x00"
UNKNOWN = 2**36 - 1  # samples: the most that the header of FLAC can hold, 50 days at 16 kHz
LENGTH_HEADERS = (b"Xing", b"Info", b"VBRI")  # of MP3
OPEN_SIZES = (0, 0xFFFFFFFF)  # of RIFF headers that do not know theirs


class Place(NamedTuple):
    """Bytes of a file from an offset on, up to `end`; None: up to the file's end."""

    path: Path
    begin: int
    end: int | None = None


Source = Path | Place | bytes


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
        frames: the samples that its header claims; `UNKNOWN` if it tells none.
        plain: libsndfile by itself knows that, and can seek.
    """

    sound: Sound
    format: str
    frames: int
    plain: bool


def open_sound(source: Source) -> Opened:
    """Open a source; of WAV whose header leaves the length open, with the length that is there.

    Raises:
        ValueError: it cannot be decoded.
    """
    try:
        sound = Sound(str(source) if isinstance(source, Path) else open_bytes(source))
        name, frames = sound.format, sound.frames
        if frames <= 0 and name in ("WAV", "WAVEX", "RF64"):
            sound.close()
            sound = Sound(Part(open_bytes(source), head=OPEN_HEADER))
            return Opened(sound, name, sound.frames or UNKNOWN, False)
        if name == "MP3" and not tells_length(source):
            sound.close()
            return Opened(Sound(Stretched(open_bytes(source))), name, UNKNOWN, False)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(explain(error)) from error
    if 0 < frames < UNKNOWN:
        return Opened(sound, name, frames, sound.can_seek())
    return Opened(sound, name, UNKNOWN, False)


def tells_length(source: Source) -> bool:
    """Tell whether MP3 has a header with its length, in its first frame, after a tag ID3."""
    with open_bytes(source) as file:
        start = file.read(10)
        if start[:3] == b"ID3":
            seven_bits = start[6:10]
            file.seek(10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(seven_bits)))
        frame = start[: 0 if start[:3] == b"ID3" else 10] + file.read(1024)
    return any(name in frame for name in LENGTH_HEADERS)


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
