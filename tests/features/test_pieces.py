"""Recordings of any length are heard in pieces: the same samples and frames as at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from deep_speaker.config import Features
from deep_speaker.features.front_ends import compute_frames, compute_in_pieces
from deep_speaker.kaldi import audio_files
from deep_speaker.kaldi.audio import open_file, read_pieces, read_samples
from deep_speaker.kaldi.resampling import resample
from support.speech import make_speech, write_audio

FRONT_ENDS: dict[str, dict[str, Any]] = {
    "kaldi": {},
    "kaldi of 8 kHz": {"sampling_rate": 8000, "num_mels": 40},
    "torchaudio": {"front_end": "torchaudio"},
    "torchaudio from the first sample on": {"front_end": "torchaudio", "centred": False},
    "speechbrain": {"front_end": "speechbrain"},
    "python_speech_features": {"front_end": "python_speech_features"},
}


def cut(samples: np.ndarray, length: int) -> Iterator[np.ndarray]:
    for start in range(0, len(samples), length):
        yield samples[start : start + length]


@pytest.mark.parametrize("length", [100, 7000, 40960, 59999])
@pytest.mark.parametrize("options", FRONT_ENDS.values(), ids=FRONT_ENDS)
def test_frames_of_pieces_are_those_of_the_whole(options: dict[str, Any], length: int) -> None:
    features = TypeAdapter(Features).validate_python(options)
    samples = (32768 * make_speech(1, 60000 / 16000)).astype(np.float32)
    expected = compute_frames(samples, features)
    found = compute_in_pieces(cut(samples, length), features)
    assert len(expected[0]) > 256
    for some, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(some, wanted)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("block", [1000, 4096])
def test_resampling_shows_no_seams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, block: int
) -> None:
    path = write_audio(tmp_path / "a.wav", make_speech(2, 1.3, rate), rate)
    with open_file(path) as file:
        decoded = read_samples(file, rate)
        expected = resample(decoded / np.float32(32768), rate, 16000) * np.float32(32768)
        monkeypatch.setattr(audio_files, "BLOCK", block)
        pieces = list(read_pieces(file, 16000))
    assert len(pieces) > 3
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


def test_a_piece_is_bounded_whatever_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_files, "BLOCK", 4000)
    with open_file(write_audio(tmp_path / "a.flac", make_speech(2, 3.1))) as file:
        lengths = [len(piece) for piece in read_pieces(file, 16000, 0.5, 2.6)]
    assert lengths == [4000] * 8 + [1600]
