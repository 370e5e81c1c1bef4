"""Front ends of graphs: the numbers of `features`, at all lengths."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from deep_speaker.config import Features
from deep_speaker.export.front_ends import FRONT_ENDS, GraphFrontEnd
from deep_speaker.features import front_ends
from support.exported import make_voices

OPTIONS: dict[str, dict[str, Any]] = {
    "kaldi": {"front_end": "kaldi", "num_mels": 40},
    "kaldi at 8 kHz": {"sampling_rate": 8000, "frame_length_ms": 20, "high_freq": 0},
    "torchaudio": {"front_end": "torchaudio", "window": "hann"},
    "torchaudio, integers": {"front_end": "torchaudio", "sample_scale": "int16"},
    "torchaudio, odd": {"front_end": "torchaudio", "fft_length": 401, "num_mels": 20},
    "torchaudio, magnitudes": {
        "front_end": "torchaudio",
        "num_mels": None,
        "power": 1,
        "log": False,
        "centred": False,
        "compression": "none",
    },
    "speechbrain": {"front_end": "speechbrain"},
    "python_speech_features": {"front_end": "python_speech_features"},
}
CASES = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def make_front_end(options: dict[str, Any]) -> tuple[Features, GraphFrontEnd]:
    features = TypeAdapter(Features).validate_python(options)
    return features, FRONT_ENDS[features.front_end](features)


def analyse(front_end: GraphFrontEnd, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frames, log_energies = front_end(torch.from_numpy(samples)[None])
    return frames[0].numpy(), log_energies[0].numpy()


@CASES
@pytest.mark.parametrize("seconds", [0.0501, 0.4, 3.21])
def test_frames_and_energies_are_those_of_stage_1(options: dict[str, Any], seconds: float) -> None:
    features, front_end = make_front_end(options)
    samples = make_voices(seconds, features.sampling_rate) + 50  # with an offset, as recorded
    expected = front_ends.compute_frames(samples, features)
    scale = expected[0].std()
    for found, wanted in zip(analyse(front_end, samples), expected, strict=True):
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-3 * max(scale, 1)
        assert np.abs(found - wanted).mean() < 1e-5 * max(scale, 1)


@CASES
def test_the_fewest_samples_give_a_frame_and_one_less_gives_none(options: dict[str, Any]) -> None:
    features, front_end = make_front_end(options)
    samples = make_voices(1, features.sampling_rate)
    few = samples[: front_end.fewest_samples]
    expected = front_ends.compute_frames(few, features)[0]
    assert len(expected) >= 1
    assert analyse(front_end, few)[0] == pytest.approx(expected, abs=1e-3)
    try:
        none = front_ends.compute_frames(few[:-1], features)[0]
    except ValueError:
        return
    assert front_end.fewest_samples == 1 or not len(none)


@CASES
def test_silence_is_as_in_stage_1(options: dict[str, Any]) -> None:
    features, front_end = make_front_end(options)
    samples = np.zeros(features.sampling_rate, dtype=np.float32)
    for found, wanted in zip(
        analyse(front_end, samples), front_ends.compute_frames(samples, features), strict=True
    ):
        assert found == pytest.approx(wanted, abs=1e-5)


def test_crops_are_analysed_each_alone() -> None:
    _, front_end = make_front_end(OPTIONS["speechbrain"])
    crops = torch.from_numpy(make_voices(2)).reshape(4, -1)
    together, _ = front_end(crops)
    for frames, crop in zip(together, crops, strict=True):
        assert torch.allclose(frames, front_end(crop[None])[0][0], atol=1e-4)
