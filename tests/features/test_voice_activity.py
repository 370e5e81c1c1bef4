"""Voice activity: Kaldi's compute-vad, by hand and by its loop."""

import itertools

import numpy as np
import pytest

from deep_speaker.config import VoiceActivity
from deep_speaker.features.front_ends import compute_frames
from deep_speaker.features.voice_activity import detect_voice, vad_options
from support.speech import EXPERIMENT, RATE

LOUD, QUIET = 20.0, 8.0


def kaldi_vad(log_energies: np.ndarray, options: VoiceActivity) -> list[float]:
    """ComputeVadEnergy of voice-activity-detection.cc, statement by statement, all float32."""
    count = len(log_energies)
    energy_threshold = np.float32(options.energy_threshold)
    mean_scale = np.float32(options.energy_mean_scale)
    if mean_scale != 0:
        total = 0.0  # VectorBase::Sum adds up in double and returns a float
        for energy in log_energies:
            total += float(energy)
        energy_threshold = energy_threshold + mean_scale * np.float32(total) / np.float32(count)
    assert isinstance(energy_threshold, np.float32)
    voiced = []
    for t in range(count):
        num_count = den_count = 0
        for t2 in range(t - options.context, t + options.context + 1):
            if 0 <= t2 < count:
                den_count += 1
                if log_energies[t2] > energy_threshold:
                    num_count += 1
        share = np.float32(den_count) * np.float32(options.proportion)
        voiced.append(1.0 if np.float32(num_count) >= share else 0.0)
    return voiced


@pytest.mark.parametrize(
    ("proportion", "context", "expected"),
    [
        (0.5, 0, "0001100000"),  # each frame alone
        (0.12, 2, "0111111000"),  # one loud frame of five is enough
        (0.4, 2, "0011110000"),  # two of five; at the end, two of three or four
        (0.6, 1, "0001100000"),  # two of three
        (0.12, 20, "1111111111"),  # the whole utterance is around every frame
        (0.21, 20, "0000000000"),
    ],
)
def test_decisions_by_hand(proportion: float, context: int, expected: str) -> None:
    """Two loud frames of ten: threshold 5.5 + 0.5 * (2 * 20 + 8 * 8) / 10 = 10.7."""
    energies = np.full(10, QUIET, dtype=np.float32)
    energies[3:5] = LOUD
    voiced = detect_voice(energies, VoiceActivity(proportion=proportion, context=context))
    assert voiced.dtype == np.float32
    assert voiced.tolist() == [float(digit) for digit in expected]


def test_the_threshold_itself_is_not_above_it() -> None:
    options = VoiceActivity(energy_threshold=5, energy_mean_scale=0.5, proportion=0.9, context=0)
    # The mean is 10 and the threshold 10.
    energies = np.array([10, 10.001, 9.999, 10], dtype=np.float32)
    assert detect_voice(energies, options).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("level", [5.5, 11.0])
def test_utterances_at_one_level_are_all_or_nothing(level: float) -> None:
    """A frame at level L counts when L > 5.5 + L / 2, so when L > 11."""
    for energy, voiced in ((level, 0), (11.01, 1), (24.0, 1), (-15.9, 0)):
        assert set(detect_voice(np.full(30, energy, np.float32), VoiceActivity())) == {voiced}


@pytest.mark.parametrize("context", [0, 1, 2, 5, 12, 60])
def test_decisions_are_those_of_kaldi_s_loop(context: int) -> None:
    """Also for one frame, and contexts longer than the utterance."""
    rng = np.random.default_rng(context)
    for proportion, count in itertools.product((0.12, 0.28, 0.4, 0.6, 0.9), (1, 2, 3, 5, 40)):
        for mean_scale in (0, rng.uniform(0, 1)):
            options = VoiceActivity(
                context=context,
                proportion=proportion,
                energy_threshold=rng.uniform(-3, 8),
                energy_mean_scale=mean_scale,
            )
            energies = rng.normal(12, 5, count).astype(np.float32)
            voiced = detect_voice(energies, options)
            assert voiced.tolist() == kaldi_vad(energies, options), (options, count)


def test_energies_beside_the_threshold_fall_as_in_kaldi() -> None:
    """The threshold itself and its neighbours among float32, where double would decide others."""
    rng = np.random.default_rng(0)
    differing = 0
    for _ in range(200):
        scale, count = rng.uniform(0.1, 0.9), int(rng.integers(1, 30))
        options = VoiceActivity(
            energy_threshold=rng.uniform(-3, 8), energy_mean_scale=scale, context=0, proportion=0.5
        )
        level = np.float32(options.energy_threshold / (1 - scale))
        energies = np.full(count, level, np.float32)
        for place in range(0, count, 2):
            energies[place] = np.nextafter(level, np.float32(rng.choice([-99, 99])))
        voiced = detect_voice(energies, options).tolist()
        assert voiced == kaldi_vad(energies, options), options
        exact = options.energy_threshold + scale * energies.mean(dtype=np.float64)
        differing += voiced != (energies > exact).astype(float).tolist()
    assert differing > 20  # otherwise nothing was at stake


@pytest.mark.parametrize("proportion", [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
def test_shares_of_exactly_the_proportion_fall_as_in_kaldi(proportion: float) -> None:
    """Each number of loud frames of ten."""
    for num_loud, context in itertools.product(range(11), (4, 9, 12)):
        energies = np.full(10, QUIET, dtype=np.float32)
        energies[:num_loud] = LOUD
        options = VoiceActivity(
            energy_threshold=14, energy_mean_scale=0, proportion=proportion, context=context
        )
        voiced = detect_voice(energies, options)
        assert voiced.tolist() == kaldi_vad(energies, options)
        if context >= 9:  # everywhere the same ten frames
            assert set(voiced) == {float(num_loud >= round(10 * proportion))}


def test_no_frames_have_no_decisions() -> None:
    voiced = detect_voice(np.zeros(0, np.float32), VoiceActivity())
    assert voiced.shape == (0,)
    assert voiced.dtype == np.float32


def test_a_loud_second_between_quiet_ones_is_found() -> None:
    """16-bit noise of deviation 2 and 2000: frame energies of 7.4 and 21.2, threshold 11.5."""
    deviations = np.repeat([2, 2000, 2], RATE)
    samples = deviations * np.random.default_rng(0).standard_normal(3 * RATE)
    _, energies = compute_frames(samples.astype(np.float32), EXPERIMENT.features)
    voiced = np.flatnonzero(detect_voice(energies, VoiceActivity()))
    assert (np.diff(voiced) == 1).all()
    # Frames reach 7.5 ms further than their 10 ms, and the context two frames.
    assert 96 <= voiced[0] <= 98
    assert 201 <= voiced[-1] <= 203


def test_the_options_for_kaldi_say_what_is_decided() -> None:
    options = VoiceActivity(energy_threshold=5, energy_mean_scale=0.25, proportion=0.6, context=3)
    assert vad_options(options).split() == [
        "--vad-energy-threshold=5",
        "--vad-energy-mean-scale=0.25",
        "--vad-proportion-threshold=0.6",
        "--vad-frames-context=3",
    ]
