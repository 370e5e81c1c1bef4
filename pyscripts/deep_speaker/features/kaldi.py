"""Log-mel filterbanks, numerically those of Kaldi's compute-fbank-feats without dither.

The steps are Kaldi's: frames that reach past the ends by reflection (`snip-edges=false`), DC
removal, pre-emphasis 0.97, Povey window, power spectrum, triangular mel filters, logarithm. They
are rearranged to do less per frame: pre-emphasis runs once over the samples instead of once over
each overlapping frame, and frames go through all steps in blocks that stay in the cache.
"""

from functools import lru_cache
from math import gcd

import numpy as np

from deep_speaker.config import KaldiFilterbank
from deep_speaker.features.blocks import Layout, cut_frames
from deep_speaker.features.spectra import ENERGY_FLOOR, power_spectrum, triangular_filters

PREEMPHASIS = 0.97
MELS_TOGETHER = 16  # neighbours, whose filters cover a part of the spectrum
CANCELLATION = 1e-2  # share of energy below which a difference of float32 sums is too rough


def fbank_options(features: KaldiFilterbank) -> str:
    """Return the fbank.conf with which compute-fbank-feats computes the same features."""
    return (
        f"--sample-frequency={features.sampling_rate}\n"
        f"--num-mel-bins={features.num_mels}\n"
        f"--frame-length={features.frame_length_ms:g}\n"
        f"--frame-shift={features.frame_shift_ms:g}\n"
        f"--low-freq={features.low_freq:g}\n"
        f"--high-freq={features.high_freq:g}\n"
        "--snip-edges=false\n"
        "--dither=0\n"
        "--allow-downsample=true\n"
        "--allow-upsample=true\n"
    )


def layout(features: KaldiFilterbank) -> Layout:
    """Return where frames lie: frame i is centred on sample (i + 1/2) * shift."""
    length, shift = features.frame_samples
    left = length // 2 - shift // 2
    return Layout(length, shift, left, length - left - (shift - shift // 2), "symmetric")


def compute_block(samples: np.ndarray, features: KaldiFilterbank) -> tuple[np.ndarray, np.ndarray]:
    """Compute log-mel filterbanks and log energies of a block of frames.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers; see `cut_blocks`.

    Returns:
        filterbanks: float32, shape (frames, mels), natural logarithm of mel energies.
        log_energies: float32, shape (frames,), of each frame after DC removal and before
            pre-emphasis and window, as Kaldi's raw energy.
    """
    length, shift = features.frame_samples
    # Frames lose their means below; without a large offset the sums there are exact enough.
    samples = samples - samples.mean()
    means, energies = _means_and_energies(samples, length, shift)
    emphasised = samples.copy()  # the first sample stays: the Povey window is 0 there
    emphasised[1:] -= np.float32(PREEMPHASIS) * samples[:-1]
    windowed = np.empty((len(means), _fft_length(length)), dtype=np.float32)
    # Pre-emphasis leaves this much of the frame's mean.
    left = ((1 - PREEMPHASIS) * means)[:, np.newaxis]
    np.subtract(cut_frames(emphasised, length, shift), left, out=windowed[:, :length])
    windowed[:, :length] *= povey_window(length)
    windowed[:, length:] = 0
    power = power_spectrum(windowed)
    filterbanks = np.empty((len(means), features.num_mels), dtype=np.float32)
    for bins, mels, filters in _mel_bands(features):
        np.matmul(power[:, bins], filters, out=filterbanks[:, mels])
    return _floored_log(filterbanks), _floored_log(energies)


def _means_and_energies(
    samples: np.ndarray, length: int, shift: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each frame, and the sum of squares about it: (frames,)."""
    step = gcd(length, shift)  # frames share the sums over so many samples
    parts = samples.reshape(-1, step)
    sums, squares = (
        cut_frames(some, length // step, shift // step).sum(axis=1)
        for some in (parts.sum(axis=1), np.einsum("ij,ij->i", parts, parts))
    )
    means = sums / np.float32(length)
    offsets = sums * means
    energies = squares - offsets
    # In digital silence beside speech the offset is nearly all of the sum: compute it anew.
    cancelled = np.flatnonzero(energies < CANCELLATION * offsets)
    if len(cancelled):
        centred = cut_frames(samples, length, shift)[cancelled].astype(np.float64)
        centred -= centred.mean(axis=1, keepdims=True)  # so that silence is exactly 0
        energies[cancelled] = np.einsum("ij,ij->i", centred, centred)
    return means, energies


def _floored_log(values: np.ndarray) -> np.ndarray:
    """Take the logarithm in place, of no less than Kaldi's floor."""
    np.maximum(values, ENERGY_FLOOR, out=values)
    return np.log(values, out=values)


def _fft_length(frame_length: int) -> int:
    """Return the next power of two."""
    return 1 << (frame_length - 1).bit_length()


@lru_cache
def povey_window(length: int) -> np.ndarray:
    """Return a Hann window to the power 0.85, which reaches 0 at both ends."""
    return (np.hanning(length) ** 0.85).astype(np.float32)


@lru_cache
def mel_filterbank(features: KaldiFilterbank) -> np.ndarray:
    """Return triangular filters, equally spaced in mel = 1127 ln(1 + f / 700), straight in mel.

    Returns:
        float32, shape (fft_length / 2 + 1, mels).
    """
    length, _ = features.frame_samples
    fft_length = _fft_length(length)
    nyquist = features.sampling_rate / 2
    high_freq = features.high_freq if features.high_freq > 0 else nyquist + features.high_freq
    edges = np.linspace(_mel(features.low_freq), _mel(high_freq), features.num_mels + 2)
    frequencies = np.arange(fft_length // 2 + 1) * features.sampling_rate / fft_length
    filters = triangular_filters(_mel(frequencies), edges)
    filters[-1] = 0  # Kaldi leaves out the bin at half the sampling rate
    return filters.astype(np.float32)


@lru_cache
def _mel_bands(features: KaldiFilterbank) -> list[tuple[slice, slice, np.ndarray]]:
    """Return the filters in groups of neighbours: the bins and the mels of each, and its filters.

    Most of the whole matrix is zeros.
    """
    filters = mel_filterbank(features)
    bands = []
    for first in range(0, features.num_mels, MELS_TOGETHER):
        mels = slice(first, first + MELS_TOGETHER)
        passed = np.flatnonzero(filters[:, mels].any(axis=1))
        bins = slice(passed[0], passed[-1] + 1) if len(passed) else slice(0)
        bands.append((bins, mels, filters[bins, mels].copy()))
    return bands


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(frequency) / 700)
