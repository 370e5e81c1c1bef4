"""Spectrograms and mel spectrograms, numerically those of torchaudio for voxceleb_trainer.

The steps are those of torchaudio's Spectrogram and MelSpectrogram with HTK mels and no norm: frames
under a periodic window in the middle of the FFT, the power or magnitude of the spectrum, triangular
filters that are straight in Hz, and log(x + 1e-6). The mean of a frame stays in it, and there is no
pre-emphasis. Waveforms are in -1..1, or, as voxceleb_trainer read them until 2021-04 (9ae2041),
16-bit integers: the offset of 1e-6 is then so small that silence keeps its shape.

torchaudio itself is not needed. Frames go through the FFT from its first sample on, instead of in
its middle: that turns phases, which do not count here.
"""

from functools import lru_cache

import numpy as np

from deep_speaker.config import TorchaudioSpectrogram
from deep_speaker.features.blocks import Layout, cut_frames
from deep_speaker.features.spectra import (
    FULL_SCALE,
    frame_energies,
    periodic_window,
    power_spectrum,
    triangular_filters,
)

DIVISORS = {"unit": FULL_SCALE, "int16": 1}  # of samples on the scale of 16-bit integers
LOG_OFFSET = 1e-6


def spectrogram_options(features: TorchaudioSpectrogram) -> str:
    """Return the spectrogram.conf of a data directory, which says how its features were made.

    The scale of the samples is left out where it is `unit`, as all features were made when there
    was no other: they stay valid.
    """
    lines = [
        "# Computed as torchaudio does; no program of Kaldi's computes these features.",
        f"sampling_rate={features.sampling_rate}",
        f"frame_length_ms={features.frame_length_ms:g}",
        f"frame_shift_ms={features.frame_shift_ms:g}",
        f"fft_length={features.fft_length}",
        f"window={features.window}",
        f"centred={str(features.centred).lower()}",
        f"power={features.power}",
        f"num_mels={features.num_mels or 'none'}",
        f"log={str(features.log).lower()}",
    ]
    if features.sample_scale != "unit":
        lines.append(f"sample_scale={features.sample_scale}")
    return "\n".join(lines) + "\n"


def layout(features: TorchaudioSpectrogram) -> Layout:
    """Return where FFTs lie: if `centred`, the ends are reflected by half an FFT."""
    length, (_, shift) = features.fft_length, features.frame_samples
    half = length // 2
    if features.centred:  # frame i is centred on sample i * shift
        return Layout(length, shift, half, half, "reflect", fewest=half + 1)
    return Layout(length, shift, 0, 0, "constant", fewest=length)


def compute_block(
    samples: np.ndarray, features: TorchaudioSpectrogram
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the spectrogram or mel spectrogram, and log energies of a block of frames.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers; see `cut_blocks`.

    Returns:
        spectrogram: float32, shape (frames, num_bins), of the waveform on the scale of
            `sample_scale`; its log(x + 1e-6) if `log`.
        log_energies: float32, shape (frames,), of the samples under each window, on the scale of
            16-bit integers after DC removal and before the window: the input of the energy VAD.
    """
    length, shift = features.frame_samples
    left = (features.fft_length - length) // 2  # where torch.stft puts a short window
    num_frames = 1 + (len(samples) - features.fft_length) // shift
    frames = cut_frames(samples[left:], length, shift)[:num_frames]
    window = periodic_window(features.window, length)
    windowed = np.zeros((num_frames, features.fft_length), dtype=np.float32)
    np.multiply(frames, window / np.float32(DIVISORS[features.sample_scale]), windowed[:, :length])
    spectrogram = power_spectrum(windowed)
    if features.power == 1:
        np.sqrt(spectrogram, out=spectrogram)
    if features.num_mels is not None:
        spectrogram = spectrogram @ htk_filterbank(features)
    if features.log:
        spectrogram += np.float32(LOG_OFFSET)
        np.log(spectrogram, out=spectrogram)
    return spectrogram, frame_energies(frames)


@lru_cache
def htk_filterbank(features: TorchaudioSpectrogram) -> np.ndarray:
    """Return triangular filters, equally spaced in HTK's mel = 2595 log10(1 + f / 700).

    They rise and fall straight over the frequency, not over the mel, from 0 Hz to half the
    sampling rate. Of many filters some lie between two bins of the spectrum and stay empty.

    Returns:
        float32, shape (fft_length / 2 + 1, num_mels).
    """
    assert features.num_mels is not None
    nyquist = features.sampling_rate / 2
    frequencies = np.linspace(0, nyquist, features.fft_length // 2 + 1)
    highest_mel = 2595 * np.log10(1 + nyquist / 700)
    edges = 700 * (10 ** (np.linspace(0, highest_mel, features.num_mels + 2) / 2595) - 1)
    return triangular_filters(frequencies, edges).astype(np.float32)
