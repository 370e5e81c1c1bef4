"""Calls of two channels, each with a speaker of its own."""

from pathlib import Path

import numpy as np
import pytest

import prepare_folder
from support.preparation import run_main
from support.speech import make_speech, write_audio

CALLS = [f"{name}/{i}.{form}" for name in ("ann", "ben-2", "cat", "dan") for i, form in
         enumerate(["wav", "flac", "wav"])]  # fmt: skip


def sides_of(call: str) -> list[np.ndarray]:
    """The samples of a call's two sides."""
    return [make_speech(2 * CALLS.index(call) + side) for side in (0, 1)]


def write_calls(folder: Path) -> Path:
    """Write four folders of three calls."""
    for call in CALLS:
        write_audio(folder / call, np.stack(sides_of(call), axis=1))
    return folder


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    """Prepare the corpus `folder`."""
    run_main(monkeypatch, prepare_folder, output, *words)


def as_integers(samples: np.ndarray) -> np.ndarray:
    """Return samples of -1 to 1 as 16-bit files hold them."""
    return np.rint(samples * 32768).clip(-32768, 32767)
