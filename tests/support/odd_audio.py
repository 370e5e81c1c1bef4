"""Audio whose header does not tell, or tells wrongly, how long it is."""

from pathlib import Path

import numpy as np
import soundfile

from support.speech import RATE, make_speech, write_audio

SECONDS = 2.0


def unmeasured_flac(path: Path, seconds: float = SECONDS) -> Path:
    """FLAC without the number of its samples, as streaming encoders write it."""
    return forget_length(write_audio(path, make_speech(3, seconds)))


def forget_length(path: Path) -> Path:
    """Remove the number of samples from the header of FLAC."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


def open_wav(path: Path, riff: int | None = 0, seconds: float = SECONDS) -> Path:
    """WAV whose data has the size 0, and whose RIFF another size; None: the right one."""
    write_audio(path, make_speech(3, seconds))
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = bytes(4)
    if riff is not None:
        content[4:8] = riff.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def open_rf64(path: Path, seconds: float = SECONDS) -> Path:
    """RF64 as ffmpeg writes it to a pipe: sizes of 0 in its chunk ds64."""
    soundfile.write(path, make_speech(3, seconds), RATE, format="RF64", subtype="PCM_16")
    content = bytearray(path.read_bytes())
    assert content[12:16] == b"ds64"
    content[20:48] = bytes(28)
    path.write_bytes(content)
    return path


def unmeasured_mp3(path: Path) -> Path:
    """MP3 of a varying rate, loud and then quiet, whose first frame no longer tells its length."""
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(20 * RATE) * np.repeat([0.3, 1e-4], 10 * RATE)
    soundfile.write(
        path, samples, RATE, subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0
    )
    content = path.read_bytes()
    assert b"Xing" in content[:200]
    path.write_bytes(content.replace(b"Xing", bytes(4), 1))
    return path


def gsm(path: Path, seconds: float = SECONDS) -> Path:
    """WAV of GSM 6.10, in which libsndfile cannot seek."""
    return write_audio(path, make_speech(3, seconds, 8000), 8000, subtype="GSM610")


def cut_in_half(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def decode(path: Path) -> np.ndarray:
    """The first channel as libsndfile decodes it forward, on the scale of 16-bit integers."""
    with soundfile.SoundFile(path) as file:
        file.seekable = lambda: False  # else soundfile seeks, which fails in some
        blocks = []
        while len(block := file.read(1000, dtype="float32", always_2d=True)):
            blocks.append(block[:, 0])
    return np.concatenate(blocks) * np.float32(32768)
