"""Compare filterbanks with Kaldi's own code, Lhotse's extractor, and physics."""

import kaldi_native_fbank
import numpy as np
import pytest
from lhotse import Fbank, FbankConfig

from deep_speaker.config import KaldiFilterbank
from deep_speaker.features.front_ends import compute_frames
from deep_speaker.features.kaldi import fbank_options, mel_filterbank
from support.speech import make_speech

DEFAULT = KaldiFilterbank()


def int16(samples: np.ndarray) -> np.ndarray:
    """On the scale of 16-bit integers, which the loader gives."""
    return (samples * 32768).astype(np.int16).astype(np.float32)


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return int16(0.05 * np.random.default_rng(seed).standard_normal(num_samples))


def kaldi_filterbanks(
    samples: np.ndarray, options: KaldiFilterbank
) -> tuple[np.ndarray, np.ndarray]:
    """Compute filterbanks and raw log energies by Kaldi's own code, kaldi-native-fbank."""
    fbank = kaldi_native_fbank.FbankOptions()
    fbank.frame_opts.samp_freq = options.sampling_rate
    fbank.frame_opts.frame_length_ms = options.frame_length_ms
    fbank.frame_opts.frame_shift_ms = options.frame_shift_ms
    fbank.frame_opts.dither = 0
    fbank.frame_opts.snip_edges = False
    fbank.mel_opts.num_bins = options.num_mels
    fbank.mel_opts.low_freq = options.low_freq
    fbank.mel_opts.high_freq = options.high_freq
    fbank.use_energy = fbank.raw_energy = True  # in column 0, as compute-vad wants it
    fbank.energy_floor = 0
    computer = kaldi_native_fbank.OnlineFbank(fbank)
    computer.accept_waveform(options.sampling_rate, samples)
    computer.input_finished()
    frames = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
    columns = np.array(frames, dtype=np.float32).reshape(len(frames), options.num_mels + 1)
    return columns[:, 1:], columns[:, 0]


def assert_close(filterbanks: np.ndarray, expected: np.ndarray) -> None:
    """Compare log filterbanks that both were computed in float32, in another order.

    The FFT rounds each bin by a share of its frame's strongest, so the logarithm of a faint bin
    may differ by more: 3e-6 of the ratio of their amplitudes, beside 3e-4. Of random speech and
    noise the differences were at most 0.46 of that.
    """
    assert filterbanks.dtype == np.float32
    assert filterbanks.shape == expected.shape
    ratio = np.exp((expected.max(axis=1, keepdims=True) - expected) / 2)
    np.testing.assert_array_less(np.abs(filterbanks - expected), 3e-4 + 3e-6 * ratio)


def assert_kaldi_s(samples: np.ndarray, options: KaldiFilterbank) -> None:
    """Compare with Kaldi's filterbanks, and with its log energies within 2e-5 (found: 7e-6)."""
    filterbanks, energies = compute_frames(samples, options)
    expected, expected_energies = kaldi_filterbanks(samples, options)
    assert_close(filterbanks, expected)
    assert energies.dtype == np.float32
    np.testing.assert_allclose(energies, expected_energies, rtol=0, atol=2e-5)


OPTIONS = {
    "default": DEFAULT,
    "8 kHz": KaldiFilterbank(sampling_rate=8000, num_mels=40),
    "44.1 kHz": KaldiFilterbank(sampling_rate=44100),  # an even frame length and an odd shift
    "22 kHz": KaldiFilterbank(sampling_rate=22050, low_freq=0, high_freq=7600),
    "other frames": KaldiFilterbank(frame_length_ms=20, frame_shift_ms=12.5, high_freq=0),
    "narrow band": KaldiFilterbank(num_mels=23, low_freq=300, high_freq=3400),
    "many bins": KaldiFilterbank(num_mels=80, high_freq=-200),
    "three bins": KaldiFilterbank(num_mels=3, low_freq=0, high_freq=0),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_filterbanks_and_energies_are_kaldi_s(options: KaldiFilterbank) -> None:
    rate = options.sampling_rate
    for samples in (
        int16(make_speech(3, 1.5, rate)),
        noise(rate // 8),
        noise(rate // 8) + np.float32(3000),
        np.zeros(rate // 8, np.float32),
        noise(rate // 80),  # half a frame, reflected several times
        noise(rate // 150),
    ):
        assert_kaldi_s(samples, options)


@pytest.mark.parametrize("seconds", [0.02, 0.5, 4.0])
def test_filterbanks_equal_lhotse_s(seconds: float) -> None:
    lhotse = Fbank(FbankConfig(num_filters=64))
    for samples in (int16(make_speech(1, seconds)), noise(int(16000 * seconds) + 7)):
        filterbanks, _ = compute_frames(samples, DEFAULT)
        assert_close(filterbanks, lhotse.extract(samples, 16000))


@pytest.mark.parametrize("mel_bin", [3, 12, 31, 50, 63])
def test_a_pure_tone_lands_in_its_mel_bin(mel_bin: int) -> None:
    low, high = (1127 * np.log(1 + edge / 700) for edge in (20, 7600))
    centre = low + (mel_bin + 1) * (high - low) / 65
    frequency = 700 * (np.exp(centre / 1127) - 1)
    tone = int16(0.3 * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000))
    filterbanks, _ = compute_frames(tone, DEFAULT)
    assert set(filterbanks[2:-2].argmax(axis=1)) == {mel_bin}


def test_the_energy_of_a_tone_is_half_its_squared_amplitude_per_sample() -> None:
    tone = 1000 * np.sin(2 * np.pi * 400 * np.arange(8000) / 16000).astype(np.float32)
    _, energies = compute_frames(tone, DEFAULT)
    np.testing.assert_allclose(energies[2:-2], np.log(400 * 1000**2 / 2), atol=1e-4)


@pytest.mark.parametrize("num_samples", [0, 1, 79, 80, 239, 240, 400, 16013, 60000])
def test_frames_are_counted_as_kaldi_does_without_snipping(num_samples: int) -> None:
    filterbanks, energies = compute_frames(noise(num_samples), DEFAULT)
    frames = (num_samples + 80) // 160
    assert filterbanks.shape == (frames, 64)
    assert energies.shape == (frames,)
    assert_kaldi_s(noise(num_samples), DEFAULT)


def test_a_constant_offset_changes_nothing() -> None:
    samples = noise(16013) / 8
    filterbanks, energies = compute_frames(samples, DEFAULT)
    for offset in (10000, -10000):
        shifted, shifted_energies = compute_frames(samples + np.float32(offset), DEFAULT)
        np.testing.assert_allclose(shifted, filterbanks, rtol=0, atol=2e-3)
        np.testing.assert_allclose(shifted_energies, energies, rtol=0, atol=1e-3)


def test_an_offset_of_a_part_of_the_file_leaves_its_energies() -> None:
    """Quiet speech with a microphone's offset, padded by digital silence."""
    quiet = 5 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    samples = np.concatenate([np.zeros(16000, np.float32), quiet + np.float32(3000)])
    _, energies = compute_frames(samples, DEFAULT)
    for frame in range(105, 195):
        begin = 160 * frame + 80 - 200
        piece = samples[begin : begin + 400].astype(np.float64)
        assert energies[frame] == pytest.approx(np.log(400 * piece.var()), abs=0.05)


def test_doubling_the_samples_adds_log_4_everywhere() -> None:
    samples = noise(16000)
    once, twice = compute_frames(samples, DEFAULT), compute_frames(2 * samples, DEFAULT)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two - one, np.log(4), atol=1e-4)


def test_silence_is_at_kaldi_s_floor() -> None:
    for samples in (np.zeros(1600, np.float32), np.full(1600, 1234, np.float32)):
        filterbanks, energies = compute_frames(samples, DEFAULT)
        np.testing.assert_allclose(filterbanks, np.log(2.0**-23))
        np.testing.assert_allclose(energies, np.log(2.0**-23))


def test_a_frame_depends_on_its_own_samples_alone() -> None:
    """Frames are computed in blocks of 256: those of a long file equal those of its parts."""
    samples = noise(160 * 700)
    whole, whole_energies = compute_frames(samples, DEFAULT)
    for first in (250, 510):
        part, energies = compute_frames(samples[160 * first : 160 * (first + 20)], DEFAULT)
        np.testing.assert_allclose(part[2:-2], whole[first + 2 : first + 18], atol=2e-3)
        np.testing.assert_allclose(
            energies[2:-2], whole_energies[first + 2 : first + 18], atol=1e-4
        )


def test_the_samples_given_are_left_alone() -> None:
    samples = noise(3000)
    before = samples.copy()
    compute_frames(samples, DEFAULT)
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
    lines = dict(line.split("=") for line in fbank_options(options).splitlines())
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
    _, log_energies = compute_frames(samples, DEFAULT)
    inside = [t for t in range(len(log_energies)) if 0 <= 160 * t - 120 <= len(samples) - 400]
    for t in inside:
        frame = samples[160 * t - 120 : 160 * t + 280].astype(np.float64)
        energy = max(((frame - frame.mean()) ** 2).sum(), np.finfo(np.float32).eps)
        assert log_energies[t] == pytest.approx(np.log(energy), abs=2e-4)
