"""The front end of voxceleb_trainer: torchaudio's formulas in float64, torch.stft, and physics."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from deep_speaker.config import TorchaudioSpectrogram, VoiceActivity
from deep_speaker.features import front_ends
from deep_speaker.features.front_ends import compute_frames
from deep_speaker.features.torchaudio import htk_filterbank
from deep_speaker.features.voice_activity import detect_voice
from support.speech import make_speech


def make_options(**changes: Any) -> TorchaudioSpectrogram:
    return TorchaudioSpectrogram.model_validate({"front_end": "torchaudio"} | changes)


FAST_RESNET = make_options()
VGG = make_options(window="hann")
THIN_RESNET = make_options(
    window="hann", centred=False, power=1, num_mels=None, log=False, compression="none"
)
FAST_RESNET_OF_2020 = make_options(window="hann", sample_scale="int16")
NAMES = {
    "fast": FAST_RESNET, "vgg": VGG, "thin": THIN_RESNET, "fast 2020": FAST_RESNET_OF_2020
}  # fmt: skip
SCALES = {"unit": 32768, "int16": 1}


def int16(samples: np.ndarray) -> np.ndarray:
    """On the scale of 16-bit integers, which the loader gives."""
    return (samples * 32768).astype(np.int16).astype(np.float32)


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return int16(0.05 * np.random.default_rng(seed).standard_normal(num_samples))


def slow_triangles(options: TorchaudioSpectrogram) -> np.ndarray:
    """torchaudio.functional.melscale_fbanks(norm=None, mel_scale="htk"), number by number."""
    assert options.num_mels is not None
    bins, nyquist = options.fft_length // 2 + 1, options.sampling_rate / 2
    highest = 2595 * math.log10(1 + nyquist / 700)
    points = [
        700 * (10 ** (highest * i / (options.num_mels + 1) / 2595) - 1)
        for i in range(options.num_mels + 2)
    ]
    weights = np.zeros((bins, options.num_mels))
    for i in range(bins):
        frequency = nyquist * i / (bins - 1)
        for mel in range(options.num_mels):
            left, centre, right = points[mel : mel + 3]
            down = (frequency - left) / (centre - left)
            up = (right - frequency) / (right - centre)
            weights[i, mel] = max(0.0, min(down, up))
    return weights


def slow_frames(samples: np.ndarray, options: TorchaudioSpectrogram) -> np.ndarray:
    """Frames of the FFT's length, before the window: float64, shape (frames, length)."""
    size = options.fft_length
    shift = int(options.frame_shift_ms * options.sampling_rate / 1000)
    signal = list(samples.astype(np.float64) / SCALES[options.sample_scale])
    if options.centred:  # the first and last sample stand once
        signal = signal[size // 2 : 0 : -1] + signal + signal[-2 : -2 - size // 2 : -1]
    starts = range(0, len(signal) - size + 1, shift)
    return np.array([signal[start : start + size] for start in starts])


def slow_spectrogram(samples: np.ndarray, options: TorchaudioSpectrogram) -> np.ndarray:
    """Sums of the discrete Fourier transform, term by term."""
    size = options.fft_length
    length = int(options.frame_length_ms * options.sampling_rate / 1000)
    share = {"hamming": 0.54, "hann": 0.5}[options.window]
    window = np.zeros(size)
    for i in range(length):
        window[(size - length) // 2 + i] = share - (1 - share) * math.cos(2 * math.pi * i / length)
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size // 2 + 1)) / size
    windowed = slow_frames(samples, options) * window
    power = (windowed @ np.cos(angles)) ** 2 + (windowed @ np.sin(angles)) ** 2
    values = power if options.power == 2 else np.sqrt(power)
    if options.num_mels is not None:
        values = values @ slow_triangles(options)
    return np.log(values + 1e-6) if options.log else values


@pytest.mark.parametrize(
    "options",
    [
        *NAMES.values(),
        make_options(centred=False, power=1),
        make_options(num_mels=None),
        make_options(sampling_rate=8000, fft_length=256, num_mels=24, window="hann"),
        make_options(sampling_rate=22050, fft_length=1024, frame_length_ms=20, frame_shift_ms=12.5),
    ],
    ids=[*NAMES, "not centred, magnitude", "log of the spectrum", "8 kHz", "22 kHz"],
)
def test_values_are_those_of_torchaudio_s_formulas(options: TorchaudioSpectrogram) -> None:
    rate = options.sampling_rate
    for samples in (int16(make_speech(3, 0.5, rate)), noise(rate // 8 + 5)):
        computed, energies = compute_frames(samples, options)
        expected = slow_spectrogram(samples, options)
        assert computed.shape == expected.shape == (len(energies), options.num_bins)
        assert computed.dtype == energies.dtype == np.float32
        # In the log of single bins, float32 leaks into those of 1e-9 of the strongest.
        absolute = 1e-3 if options.log and options.num_mels is None else 1e-4
        np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=absolute)


@pytest.mark.parametrize("options", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("num_samples", [512, 513, 671, 672, 16000, 16013, 60000])
def test_the_spectrum_is_torch_s(options: TorchaudioSpectrogram, num_samples: int) -> None:
    """Its bins, frames and their number, also where many blocks of frames follow each other."""
    samples = noise(num_samples)
    window = {"hamming": torch.hamming_window, "hann": torch.hann_window}[options.window]
    spectrum = torch.stft(
        torch.from_numpy(samples / SCALES[options.sample_scale]),
        n_fft=512,
        hop_length=160,
        win_length=400,
        window=window(400),
        center=options.centred,
        pad_mode="reflect",
        return_complex=True,
    )
    expected = spectrum.abs().pow(options.power).T.numpy()
    if options.num_mels is not None:
        expected = np.log(expected @ slow_triangles(options) + 1e-6)
    computed, _ = compute_frames(samples, options)
    np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("options", NAMES.values(), ids=NAMES)
def test_log_energies_are_those_of_the_samples_under_the_window(
    options: TorchaudioSpectrogram,
) -> None:
    """On the 16-bit scale, whatever offset the microphone adds."""
    samples = int16(make_speech(1, 0.5)) + np.float32(500)
    _, energies = compute_frames(samples, options)
    middles = slow_frames(samples, options)[:, 56:456] * SCALES[options.sample_scale]
    middles -= middles.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(energies, np.log((middles**2).sum(axis=1)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("options", NAMES.values(), ids=NAMES)
def test_a_very_low_threshold_takes_every_frame_for_voiced(options: TorchaudioSpectrogram) -> None:
    for samples in (int16(make_speech(1)), np.zeros(4000, np.float32)):
        _, energies = compute_frames(samples, options)
        voiced = detect_voice(energies, VoiceActivity(energy_threshold=-1000, energy_mean_scale=0))
        assert voiced.tolist() == [1] * len(energies)


def test_voice_is_found_where_it_is() -> None:
    samples = np.concatenate([np.zeros(8000), make_speech(2, 0.5), np.zeros(8000)])
    _, energies = compute_frames(int16(samples), FAST_RESNET)
    voiced = detect_voice(energies, VoiceActivity())
    assert voiced[:46].sum() == voiced[-46:].sum() == 0
    assert voiced[50:100].mean() > 0.8


@pytest.mark.parametrize(
    ("options", "num_samples", "least"),
    [(FAST_RESNET, 256, 257), (FAST_RESNET, 1, 257), (THIN_RESNET, 511, 512)],
)
def test_too_few_samples_are_refused(
    options: TorchaudioSpectrogram, num_samples: int, least: int
) -> None:
    with pytest.raises(ValueError, match=rf"^too short: {num_samples} .*\b{least}$"):
        compute_frames(noise(num_samples), options)
    computed, _ = compute_frames(noise(least), options)
    np.testing.assert_allclose(computed, slow_spectrogram(noise(least), options), atol=1e-4)


@pytest.mark.parametrize("frequency", [500, 1000, 3000, 7000])
def test_a_pure_tone_lands_in_its_bin(frequency: int) -> None:
    tone = int16(0.3 * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000))
    spectrum, _ = compute_frames(tone, THIN_RESNET)
    assert set(spectrum.argmax(axis=1)) == {frequency * 512 // 16000}
    # The magnitude of a tone: half its amplitude times the sum of the Hann window, 200.
    np.testing.assert_allclose(spectrum.max(axis=1), 0.3 / 2 * 200, rtol=1e-3)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    computed, energies = compute_frames(np.zeros(1600, np.float32), FAST_RESNET)
    np.testing.assert_allclose(computed, np.log(1e-6), rtol=1e-6)
    np.testing.assert_allclose(energies, np.log(2.0**-23), rtol=1e-6)


def test_the_samples_given_are_left_alone() -> None:
    for options in NAMES.values():
        samples = noise(3000)
        before = samples.copy()
        compute_frames(samples, options)
        np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("num_mels", [1, 24, 40, 80])
def test_mel_filters_are_triangles_in_hertz(num_mels: int) -> None:
    options = make_options(num_mels=num_mels)
    filters = htk_filterbank(options)
    assert filters.shape == (257, num_mels)
    np.testing.assert_allclose(filters, slow_triangles(options), atol=1e-6)


def test_the_options_file_says_what_is_computed_and_is_none_of_kaldi_s() -> None:
    name, text = front_ends.options_file(THIN_RESNET)
    first, *lines = text.splitlines()
    assert name == "spectrogram.conf"
    assert first.startswith("#")
    assert "no program of Kaldi" in first
    assert dict(line.split("=") for line in lines) == {
        "sampling_rate": "16000",
        "frame_length_ms": "25",
        "frame_shift_ms": "10",
        "fft_length": "512",
        "window": "hann",
        "centred": "false",
        "power": "1",
        "num_mels": "none",
        "log": "false",
    }
    texts = {front_ends.options_file(options)[1] for options in NAMES.values()}
    assert len(texts) == len(NAMES)


def test_integers_are_said_and_features_from_before_there_were_stay_valid() -> None:
    _, text = front_ends.options_file(VGG)
    assert front_ends.options_file(FAST_RESNET_OF_2020)[1] == text + "sample_scale=int16\n"
