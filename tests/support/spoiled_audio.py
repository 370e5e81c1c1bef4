"""Files as real programs leave them: cut, streamed, mislabelled; made from good ones."""

import struct
from pathlib import Path

import numpy as np
import soundfile

from support.speech import RATE, make_speech, write_audio


def cut_in_half(path: Path) -> None:
    """As an interrupted copy leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def forget_flac_length(path: Path) -> None:
    """As streaming encoders and ffmpeg's segment muxer write it: total samples 0, valid."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)


def set_wav_sizes(path: Path, riff: int, data: int) -> None:
    """As programs that write WAV to a pipe leave the two sizes of its header."""
    content = bytearray(path.read_bytes())
    place = content.index(b"data")
    content[4:8] = struct.pack("<I", riff)
    content[place + 4 : place + 8] = struct.pack("<I", data)
    path.write_bytes(content)


def write_second_channel(path: Path, seed: int) -> Path:
    """A call of which the first channel is silent."""
    speech = make_speech(seed)
    return write_audio(path, np.stack([np.zeros_like(speech), speech], axis=1))


def write_coded(path: Path, seed: int, subtype: str, rate: int = RATE, kind: str = "WAV") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, make_speech(seed, 0.4, rate), rate, subtype=subtype, format=kind)
    return path
