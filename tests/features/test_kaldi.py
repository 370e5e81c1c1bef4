"""Filterbanks: Kaldi's formula in float64, Lhotse's extractor, and physics."""

import numpy as np
import pytest
from lhotse import Fbank, FbankConfig

from deep_speaker.config import KaldiFilterbank
from deep_speaker.features.front_ends import compute_filterbanks
from deep_speaker.features.kaldi import kaldi_options, mel_filterbank
from support.speech import make_speech

DEFAULT = KaldiFilterbank()


def int16(samples: np.ndarray) -> np.ndarray:
    """On the scale of 16-bit integers, which the loader gives."""
    return (samples * 32768).astype(np.int16).astype(np.float32)


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return int16(0.05 * np.random.default_rng(seed).standard_normal(num_samples))


def slow_mel(frequency: float) -> float:
    return float(1127 * np.log(1 + frequency / 700))


def slow_mel_weights(options: KaldiFilterbank, padded: int) -> np.ndarray:
    """Triangles on the mel scale, number by number; shape (padded / 2, mels)."""
    rate = options.sampling_rate
    low = slow_mel(options.low_freq)
    high = slow_mel(options.high_freq + (rate / 2 if options.high_freq <= 0 else 0))
    width = (high - low) / (options.num_mels + 1)
    weights = np.zeros((padded // 2, options.num_mels))
    for i in range(padded // 2):
        mel = slow_mel(i * rate / padded)
        for mel_bin in range(options.num_mels):
            left = low + mel_bin * width
            weights[i, mel_bin] = max(min(mel - left, left + 2 * width - mel) / width, 0)
    return weights


def slow_filterbanks(
    samples: np.ndarray, options: KaldiFilterbank
) -> tuple[np.ndarray, np.ndarray]:
    """Kaldi's feature-window.cc and mel-computations.cc, frame by frame in float64."""
    rate = options.sampling_rate
    length = int(rate * 0.001 * options.frame_length_ms)
    shift = int(rate * 0.001 * options.frame_shift_ms)
    padded = 2 ** int(np.ceil(np.log2(length)))
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85
    weights = slow_mel_weights(options, padded)
    signal = samples.astype(np.float64)
    count = len(signal)
    filterbanks, energies = [], []
    for frame in range((count + shift // 2) // shift):
        begin = shift * frame + shift // 2 - length // 2
        positions = np.arange(begin, begin + length) % (2 * count)  # reflection at both ends
        piece = signal[np.minimum(positions, 2 * count - 1 - positions)]
        piece = piece - piece.mean()
        energies.append(np.log(max(piece @ piece, np.finfo(np.float32).eps)))
        emphasised = piece - 0.97 * np.concatenate([piece[:1], piece[:-1]])
        power = np.abs(np.fft.rfft(emphasised * window, padded)) ** 2
        filterbanks.append(np.log(np.maximum(power[:-1] @ weights, np.finfo(np.float32).eps)))
    return np.array(filterbanks).reshape(-1, options.num_mels), np.array(energies)


def assert_close(computed: np.ndarray, exact: np.ndarray, options: KaldiFilterbank) -> None:
    """Within 1e-3, but where a bin is 1e-6 of its frame's strongest: float32 leaks there."""
    assert computed.shape == exact.shape
    faint = exact < exact.max(axis=-1, keepdims=True) - 14
    assert np.abs(computed - exact)[~faint].max() < 1e-3
    assert faint.mean() < 0.05


@pytest.mark.parametrize(
    "options",
    [
        DEFAULT,
        KaldiFilterbank(sampling_rate=8000, num_mels=40),
        KaldiFilterbank(sampling_rate=44100),  # an even frame length and an odd shift
        KaldiFilterbank(sampling_rate=22050, low_freq=0, high_freq=7600),
        KaldiFilterbank(frame_length_ms=20, frame_shift_ms=12.5, high_freq=0),
    ],
    ids=["default", "8 kHz", "44.1 kHz", "22 kHz", "other frames"],
)
def test_filterbanks_and_energies_are_kaldi_s_formula(options: KaldiFilterbank) -> None:
    rate = options.sampling_rate
    for samples in (int16(make_speech(3, 0.2, rate)), noise(rate // 8)):
        filterbanks, energies = compute_filterbanks(samples, options)
        exact, exact_energies = slow_filterbanks(samples, options)
        assert filterbanks.dtype == energies.dtype == np.float32
        assert_close(filterbanks, exact, options)
        np.testing.assert_allclose(energies, exact_energies, rtol=0, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.02, 0.5, 4.0])
def test_filterbanks_equal_lhotse_s(seconds: float) -> None:
    lhotse = Fbank(FbankConfig(num_filters=64))
    for samples in (int16(make_speech(1, seconds)), noise(int(16000 * seconds) + 7)):
        filterbanks, _ = compute_filterbanks(samples, DEFAULT)
        assert_close(filterbanks, lhotse.extract(samples, 16000), DEFAULT)


@pytest.mark.parametrize("mel_bin", [3, 12, 31, 50, 63])
def test_a_pure_tone_lands_in_its_mel_bin(mel_bin: int) -> None:
    low, high = slow_mel(20), slow_mel(7600)
    centre = low + (mel_bin + 1) * (high - low) / 65
    frequency = 700 * (np.exp(centre / 1127) - 1)
    tone = int16(0.3 * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000))
    filterbanks, _ = compute_filterbanks(tone, DEFAULT)
    assert set(filterbanks[2:-2].argmax(axis=1)) == {mel_bin}


def test_the_energy_of_a_tone_is_half_its_squared_amplitude_per_sample() -> None:
    tone = 1000 * np.sin(2 * np.pi * 400 * np.arange(8000) / 16000).astype(np.float32)
    _, energies = compute_filterbanks(tone, DEFAULT)
    np.testing.assert_allclose(energies[2:-2], np.log(400 * 1000**2 / 2), atol=1e-4)


@pytest.mark.parametrize("num_samples", [0, 1, 79, 80, 239, 240, 400, 16013, 60000])
def test_frames_are_counted_as_kaldi_does_without_snipping(num_samples: int) -> None:
    filterbanks, energies = compute_filterbanks(noise(num_samples), DEFAULT)
    frames = (num_samples + 80) // 160
    assert filterbanks.shape == (frames, 64)
    assert energies.shape == (frames,)
    assert np.isfinite(filterbanks).all()
    if 80 <= num_samples <= 400:  # several reflections
        exact, exact_energies = slow_filterbanks(noise(num_samples), DEFAULT)
        assert_close(filterbanks, exact, DEFAULT)
        np.testing.assert_allclose(energies, exact_energies, atol=1e-4)


def test_a_constant_offset_changes_nothing() -> None:
    samples = noise(16013) / 8
    filterbanks, energies = compute_filterbanks(samples, DEFAULT)
    for offset in (10000, -10000):
        shifted, shifted_energies = compute_filterbanks(samples + np.float32(offset), DEFAULT)
        np.testing.assert_allclose(shifted, filterbanks, rtol=0, atol=2e-3)
        np.testing.assert_allclose(shifted_energies, energies, rtol=0, atol=1e-3)


def test_an_offset_of_a_part_of_the_file_leaves_its_energies() -> None:
    """Quiet speech with a microphone's offset, padded by digital silence."""
    quiet = 5 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    samples = np.concatenate([np.zeros(16000, np.float32), quiet + np.float32(3000)])
    _, energies = compute_filterbanks(samples, DEFAULT)
    for frame in range(105, 195):
        begin = 160 * frame + 80 - 200
        piece = samples[begin : begin + 400].astype(np.float64)
        assert energies[frame] == pytest.approx(np.log(400 * piece.var()), abs=0.05)


def test_doubling_the_samples_adds_log_4_everywhere() -> None:
    samples = noise(16000)
    once, twice = compute_filterbanks(samples, DEFAULT), compute_filterbanks(2 * samples, DEFAULT)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two - one, np.log(4), atol=1e-4)


def test_silence_is_at_kaldi_s_floor() -> None:
    for samples in (np.zeros(1600, np.float32), np.full(1600, 1234, np.float32)):
        filterbanks, energies = compute_filterbanks(samples, DEFAULT)
        np.testing.assert_allclose(filterbanks, np.log(2.0**-23))
        np.testing.assert_allclose(energies, np.log(2.0**-23))


def test_a_frame_depends_on_its_own_samples_alone() -> None:
    """Frames are computed in blocks of 256: those of a long file equal those of its parts."""
    samples = noise(160 * 700)
    whole, whole_energies = compute_filterbanks(samples, DEFAULT)
    for first in (250, 510):
        part, energies = compute_filterbanks(samples[160 * first : 160 * (first + 20)], DEFAULT)
        np.testing.assert_allclose(part[2:-2], whole[first + 2 : first + 18], atol=2e-3)
        np.testing.assert_allclose(
            energies[2:-2], whole_energies[first + 2 : first + 18], atol=1e-4
        )


def test_the_samples_given_are_left_alone() -> None:
    samples = noise(3000)
    before = samples.copy()
    compute_filterbanks(samples, DEFAULT)
    np.testing.assert_array_equal(samples, before)


def test_mel_filters_are_triangles_that_sum_to_one_between_their_outer_centres() -> None:
    filters = mel_filterbank(DEFAULT)
    assert filters.shape == (257, 64)
    assert (filters >= 0).all()
    assert (filters.sum(axis=0) > 0).all()
    frequencies = np.arange(257) * 16000 / 512
    centres = filters.argmax(axis=0)
    inside = slice(centres[0] + 1, centres[-1])
    np.testing.assert_allclose(filters[inside].sum(axis=1), 1, atol=1e-6)
    assert not filters[(frequencies <= 20) | (frequencies >= 7600)].any()


def test_the_options_for_kaldi_say_what_is_computed() -> None:
    options = KaldiFilterbank(sampling_rate=8000, num_mels=23, frame_shift_ms=12.5, high_freq=3700)
    lines = dict(line.split("=") for line in kaldi_options(options).splitlines())
    assert lines["--sample-frequency"] == "8000"
    assert lines["--num-mel-bins"] == "23"
    assert lines["--frame-shift"] == "12.5"
    assert (lines["--low-freq"], lines["--high-freq"]) == ("20", "3700")
    assert (lines["--snip-edges"], lines["--dither"]) == ("false", "0")


SPEECH = int16(make_speech(1, 2.0))
PAUSES = np.arange(len(SPEECH)) // 8000 % 2 == 0  # of half a second each
OFFSETS = np.where(np.arange(len(SPEECH)) < 16000, 10000, -10000)


@pytest.mark.parametrize(
    "samples",
    [
        SPEECH,
        np.where(PAUSES, 0, SPEECH),
        np.where(PAUSES, 0, SPEECH // 5) + 300,
        OFFSETS + np.random.default_rng(0).normal(0, 0.4, len(SPEECH)).round(),
    ],
    ids=["speech", "digital silence", "silence on an offset", "an offset that jumps"],
)
def test_log_energies_are_of_centred_frames_however_large_their_offset(samples: np.ndarray) -> None:
    """Of a frame, the logarithm of the sum of squares about its mean; Kaldi's floor is epsilon."""
    samples = samples.astype(np.float32)
    _, log_energies = compute_filterbanks(samples, DEFAULT)
    inside = [t for t in range(len(log_energies)) if 0 <= 160 * t - 120 <= len(samples) - 400]
    for t in inside:
        frame = samples[160 * t - 120 : 160 * t + 280].astype(np.float64)
        energy = max(((frame - frame.mean()) ** 2).sum(), np.finfo(np.float32).eps)
        assert log_energies[t] == pytest.approx(np.log(energy), abs=2e-4)
