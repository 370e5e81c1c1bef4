"""Archives that hold audio, as Kaldi's wav-copy and kaldiio (ESPnet) write them."""

import struct
from collections.abc import Mapping
from pathlib import Path

import kaldiio
import numpy as np

from deep_speaker.kaldi.tables import read_table
from support.speech import RATE


def write_wav_archive(path: Path, speech: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write 16-bit samples as wav-copy does: a key, a space, and a WAV file; return the entries."""
    entries = {}
    with path.open("wb") as file:
        for key, samples in speech.items():
            file.write(key.encode() + b" ")
            entries[key] = f"{path}:{file.tell()}"
            data = samples.astype("<i2").tobytes()
            form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
            file.write(b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt ")
            file.write(struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data)
    return entries


def write_kaldiio_archive(
    path: Path, speech: Mapping[str, np.ndarray], form: str | None
) -> dict[str, str]:
    """Write as kaldiio does: plain WAV, or `AUDIO`, a length and a file of a form."""
    options = {"write_function": "soundfile", "write_kwargs": {"format": form}} if form else {}
    scp = path.with_suffix(".scp")
    kaldiio.save_ark(
        str(path),
        {key: (RATE, samples) for key, samples in speech.items()},
        scp=str(scp),
        **options,
    )
    return read_table(scp)
