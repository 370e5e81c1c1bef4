"""The front end of SpeechBrain: the numbers of its own code, and physics."""

import math

import numpy as np
import pytest

from deep_speaker.config import SpeechBrainFilterbank, VoiceActivity
from deep_speaker.features import front_ends
from deep_speaker.features.front_ends import compute_frames
from deep_speaker.features.speechbrain import mel_filterbank
from deep_speaker.features.voice_activity import detect_voice
from support.make_speechbrain_numbers import NUMBERS, SECONDS, waveform

DEFAULT = SpeechBrainFilterbank(front_end="speechbrain")


@pytest.mark.parametrize("seed", SECONDS)
def test_filterbanks_are_those_of_speechbrains_own_code(seed: int) -> None:
    expected = np.load(NUMBERS)[f"fbank_{seed}"]
    computed, energies = compute_frames(waveform(seed), DEFAULT)
    assert computed.dtype == energies.dtype == np.float32
    assert len(energies) == len(expected)
    # Decibels: 1e-4 of a natural logarithm are 4e-4.
    np.testing.assert_allclose(computed, expected, rtol=0, atol=4e-4)


def test_the_numbers_reach_both_floors() -> None:
    """Those below which nothing shows: 80 dB below the loudest, and -100 dB."""
    numbers = np.load(NUMBERS)
    assert numbers["fbank_1"].min() == numbers["fbank_1"].max() - 80
    assert numbers["fbank_3"].min() == -100 > numbers["fbank_3"].max() - 80


@pytest.mark.parametrize("frequency", [1000, 3000, 7000])
def test_a_pure_tone_lands_in_its_filter_at_its_level(frequency: int) -> None:
    tone = 0.3 * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000)
    computed, _ = compute_frames((32768 * tone).astype(np.float32), DEFAULT)
    inner = computed[2:-2]
    (loudest,) = set(inner.argmax(axis=1))
    mel = 2595 * math.log10(1 + frequency / 700)
    position = 81 * mel / (2595 * math.log10(1 + 8000 / 700)) - 1  # counted in filters
    assert abs(loudest - position) < 1
    # Half the amplitude times the sum of the window; its neighbours add what the window leaks.
    filters = mel_filterbank(DEFAULT)[:, loudest]
    at = frequency * 400 // 16000
    side = 0.46 / 2 / 0.54  # of a Hamming window, to either side
    power = (0.3 / 2 * 0.54 * 400) ** 2 * (filters[at - 1 : at + 2] @ [side**2, 1, side**2])
    np.testing.assert_allclose(inner.max(axis=1), 10 * math.log10(power), atol=0.01)


@pytest.mark.parametrize(("rate", "length"), [(16000, 400), (22050, 551)])
def test_filters_are_as_wide_on_the_right_as_on_the_left(rate: int, length: int) -> None:
    """Over the bins of an FFT of even and of odd length, whose last is below half the rate."""
    features = SpeechBrainFilterbank(front_end="speechbrain", num_mels=3, sampling_rate=rate)
    filters = mel_filterbank(features)
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    edges = [700 * (10 ** (highest * i / 4 / 2595) - 1) for i in range(5)]
    for i, frequency in enumerate(np.fft.rfftfreq(length, 1 / rate)):
        for k in range(3):
            distance = abs(frequency - edges[k + 1]) / (edges[k + 1] - edges[k])
            assert filters[i, k] == pytest.approx(max(0, 1 - distance), abs=1e-6)


def test_log_energies_are_on_the_16_bit_scale() -> None:
    """Whatever offset the microphone adds."""
    samples = waveform(1) + np.float32(500)
    _, energies = compute_frames(samples, DEFAULT)
    frames = [samples[160 * i - 200 : 160 * i + 200].astype(np.float64) for i in range(2, 79)]
    squares = [((frame - frame.mean()) ** 2).sum() for frame in frames]
    expected = np.log(np.maximum(squares, 2.0**-23))
    np.testing.assert_allclose(energies[2:79], expected, rtol=0, atol=1e-3)


def test_a_very_low_threshold_takes_every_frame_for_voiced() -> None:
    for samples in (waveform(0), np.zeros(4000, np.float32)):
        _, energies = compute_frames(samples, DEFAULT)
        voiced = detect_voice(energies, VoiceActivity(energy_threshold=-1000, energy_mean_scale=0))
        assert voiced.tolist() == [1] * len(energies)


def test_the_samples_given_are_left_alone() -> None:
    samples = waveform(0)
    compute_frames(samples, DEFAULT)
    np.testing.assert_array_equal(samples, waveform(0))


def test_one_sample_makes_a_frame_and_none_is_refused() -> None:
    assert compute_frames(np.ones(1, np.float32), DEFAULT)[0].shape == (1, 80)
    with pytest.raises(ValueError, match="too short"):
        compute_frames(np.ones(0, np.float32), DEFAULT)


def test_a_unit_is_a_decibel() -> None:
    louder, _ = compute_frames(2 * waveform(0), DEFAULT)
    quieter, _ = compute_frames(waveform(0), DEFAULT)
    np.testing.assert_allclose((louder - quieter) * DEFAULT.log_unit, math.log(4), atol=1e-3)


def test_the_options_file_says_what_is_computed_and_is_none_of_kaldi_s() -> None:
    name, text = front_ends.options_file(DEFAULT)
    first, *lines = text.splitlines()
    assert name == "speechbrain_fbank.conf"
    assert "no program of Kaldi" in first
    assert dict(line.split("=") for line in lines) == {
        "sampling_rate": "16000",
        "frame_length_ms": "25",
        "frame_shift_ms": "10",
        "num_mels": "80",
    }
