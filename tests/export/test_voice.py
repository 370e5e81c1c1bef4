"""Voice activity in graphs: the decisions of stage 1."""

import numpy as np
import pytest
import torch

from deep_speaker.config import Trimming, VoiceActivity
from deep_speaker.export.voice import EnergyDetector, Trimmer, hears_all
from deep_speaker.features.trimming import kept_samples
from deep_speaker.features.voice_activity import detect_voice
from support.tiny_data import make_experiment

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("num_frames", [1, 2, 4, 300])
@pytest.mark.parametrize(
    "options",
    [
        VoiceActivity(),
        VoiceActivity(energy_mean_scale=1, energy_threshold=0, proportion=0.6, context=3),
        VoiceActivity(energy_mean_scale=0, energy_threshold=9, proportion=0.5, context=0),
    ],
)
def test_frames_are_voiced_as_in_stage_1(options: VoiceActivity, num_frames: int) -> None:
    energies = RNG.normal(10, 4, num_frames).astype(np.float32)
    found = EnergyDetector(options)(torch.from_numpy(energies)).numpy()
    assert found.tolist() == detect_voice(energies, options).astype(bool).tolist()


@pytest.mark.parametrize("percentile", [5, 50, 95, 99.9])
@pytest.mark.parametrize("num_samples", [1, 2, 21, 1001])
def test_samples_are_trimmed_as_in_stage_1(percentile: float, num_samples: int) -> None:
    options = Trimming(detector="trimming", percentile=percentile)
    for drawn in (RNG.normal(0, 1000, num_samples), RNG.integers(-3, 4, num_samples)):
        samples = drawn.astype(np.float32)
        first, last = kept_samples(samples, options)
        expected = samples[first:last] if first < last else samples
        assert Trimmer(options)(torch.from_numpy(samples)[None])[0].tolist() == expected.tolist()


def test_only_a_threshold_below_silence_hears_all() -> None:
    for options, expected in [
        ({"energy_threshold": -1000, "energy_mean_scale": 0}, True),
        ({"energy_threshold": -10, "energy_mean_scale": 0}, False),
        ({"energy_threshold": -1000, "energy_mean_scale": 0.5}, False),
    ]:
        assert hears_all(make_experiment(voice_activity=options)) == expected
