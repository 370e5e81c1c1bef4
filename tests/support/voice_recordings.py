"""Recordings whose vectors are known: see `voice_models.GivenVectors`."""

from pathlib import Path

import numpy as np

from support.speech import make_speech, write_audio

LOUDEST = 0.1


def write_voice(
    path: Path, *direction: float, seed: int = 0, seconds: float = 2.0, rate: int = 16000
) -> Path:
    """Write speech-like sound whose first two samples point into a direction."""
    samples = make_speech(seed, seconds, rate)
    samples[:2] = LOUDEST * np.array(direction) / np.linalg.norm(direction)
    return write_audio(path, samples, rate)
