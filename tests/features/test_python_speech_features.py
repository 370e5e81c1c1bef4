"""The front end of Philippe Remy's Deep Speaker: its package's formulas in float64, by loops."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from deep_speaker.config import PythonSpeechFeatures
from deep_speaker.features import front_ends
from deep_speaker.features.python_speech_features import (
    compute_filterbanks,
    count_frames,
    mel_filterbank,
)
from support.speech import make_speech


def make_options(**changes: Any) -> PythonSpeechFeatures:
    return PythonSpeechFeatures.model_validate({"front_end": "python_speech_features"} | changes)


PUBLISHED = make_options()
OTHERS = [
    make_options(sampling_rate=8000, fft_length=256, num_mels=24),
    make_options(sampling_rate=11025, num_mels=40),  # 275.625 and 110.25 samples
    make_options(fft_length=1024, frame_length_ms=20, frame_shift_ms=12.5, num_mels=20),
]


def int16(samples: np.ndarray) -> np.ndarray:
    """On the scale of 16-bit integers, which the loader gives."""
    return np.rint(samples * 32767).astype(np.float32)


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return int16(0.05 * np.random.default_rng(seed).standard_normal(num_samples))


def slow_filters(options: PythonSpeechFeatures) -> np.ndarray:
    """get_filterbanks, number by number."""
    rate, size, count = options.sampling_rate, options.fft_length, options.num_mels
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    hertz = [700 * (10 ** (highest * i / (count + 1) / 2595) - 1) for i in range(count + 2)]
    edges = [math.floor((size + 1) * value / rate) for value in hertz]
    filters = np.zeros((size // 2 + 1, count))
    for j in range(count):
        left, centre, right = edges[j : j + 3]
        for i in range(left, centre):
            filters[i, j] = (i - left) / (centre - left)
        for i in range(centre, right):
            filters[i, j] = (right - i) / (right - centre)
    return filters


def slow_frames(samples: np.ndarray, options: PythonSpeechFeatures) -> np.ndarray:
    """preemphasis and framesig: float64, shape (frames, length), as many as hold all samples."""
    signal = samples.astype(np.float64) / 32768
    signal = np.array([signal[0], *(b - 0.97 * a for a, b in itertools.pairwise(signal))])
    length, shift = (
        math.floor(options.sampling_rate * ms / 1000 + 0.5)
        for ms in (options.frame_length_ms, options.frame_shift_ms)
    )
    count = 1
    while (count - 1) * shift + length < len(signal):
        count += 1
    padded = [*signal, *[0.0] * ((count - 1) * shift + length - len(signal))]
    return np.array([padded[i * shift : i * shift + length] for i in range(count)])


def slow_filterbanks(samples: np.ndarray, options: PythonSpeechFeatures) -> np.ndarray:
    """fbank by sums of the discrete Fourier transform, then normalize_frames of the source."""
    frames, size = slow_frames(samples, options), options.fft_length
    angles = 2 * np.pi * np.outer(np.arange(frames.shape[1]), np.arange(size // 2 + 1)) / size
    power = ((frames @ np.cos(angles)) ** 2 + (frames @ np.sin(angles)) ** 2) / size
    rows = []
    for row in power @ slow_filters(options):
        values = np.where(row == 0, 2.0**-52, row)
        rows.append((values - values.mean()) / max(values.std(), 1e-12))
    return np.array(rows)


@pytest.mark.parametrize("options", [PUBLISHED, *OTHERS], ids=["published", "8", "11", "long"])
def test_values_are_those_of_the_package_s_formulas(options: PythonSpeechFeatures) -> None:
    rate = options.sampling_rate
    for samples in (int16(make_speech(3, 0.5, rate)), noise(3 * rate)):  # more than one block
        computed, energies = compute_filterbanks(samples, options)
        expected = slow_filterbanks(samples, options)
        assert computed.shape == expected.shape == (len(energies), options.num_mels)
        assert computed.dtype == energies.dtype == np.float32
        np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("num_samples", "num_frames"),
    [
        (1, 1),
        (2, 1),
        (400, 1),
        (401, 2),
        (560, 2),
        (561, 3),
        (16000, 99),
        (16080, 99),
        (16081, 100),
    ],
)
def test_the_last_frame_is_padded_with_zeros(num_samples: int, num_frames: int) -> None:
    samples = noise(num_samples)
    computed, _ = compute_filterbanks(samples, PUBLISHED)
    assert len(computed) == num_frames == count_frames(num_samples, PUBLISHED)
    np.testing.assert_allclose(computed, slow_filterbanks(samples, PUBLISHED), rtol=0, atol=1e-5)


def test_every_frame_has_zero_mean_and_unit_deviation_at_any_level() -> None:
    samples = int16(make_speech(1, 0.5))
    for level in (1, 0.01):
        computed, _ = compute_filterbanks(level * samples, PUBLISHED)
        np.testing.assert_allclose(computed.mean(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(computed.std(axis=1), 1, atol=1e-5)


def test_digital_silence_is_zero() -> None:
    samples = np.concatenate([np.zeros(1600, np.float32), noise(1600), np.zeros(1600, np.float32)])
    computed, energies = compute_filterbanks(samples, PUBLISHED)
    assert not computed[:8].any()
    assert not computed[21:].any()
    np.testing.assert_allclose(energies[:8], np.log(2.0**-23), rtol=1e-6)
    np.testing.assert_allclose(computed, slow_filterbanks(samples, PUBLISHED), rtol=0, atol=1e-5)


def test_log_energies_are_those_of_the_samples_less_their_mean() -> None:
    samples = int16(make_speech(1, 0.5)) + np.float32(500)
    _, energies = compute_filterbanks(samples, PUBLISHED)
    frames = np.stack([samples[i * 160 : i * 160 + 400] for i in range(40)]).astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(energies[:40], np.log((frames**2).sum(axis=1)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("options", [PUBLISHED, make_options(num_mels=128), *OTHERS])
def test_mel_filters_stand_on_whole_bins(options: PythonSpeechFeatures) -> None:
    """Of 128 some have no bin, or no rise."""
    np.testing.assert_allclose(mel_filterbank(options), slow_filters(options), atol=1e-6)


def test_the_samples_given_are_left_alone() -> None:
    samples = noise(3000)
    before = samples.copy()
    compute_filterbanks(samples, PUBLISHED)
    np.testing.assert_array_equal(samples, before)


def test_the_options_file_says_what_is_computed_and_is_none_of_kaldi_s() -> None:
    name, text = front_ends.options_file(OTHERS[2])
    *comments, rate, length, shift, fft, mels = text.splitlines()
    assert name == "python_speech_features.conf"
    assert all(line.startswith("#") for line in comments)
    assert "no program of Kaldi" in text
    assert (rate, fft, mels) == ("sampling_rate=16000", "fft_length=1024", "num_mels=20")
    assert (length, shift) == ("frame_length_ms=20", "frame_shift_ms=12.5")
