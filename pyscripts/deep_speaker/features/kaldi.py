"""Log-mel filterbanks, numerically those of Kaldi's compute-fbank-feats without dither.

The steps are Kaldi's: frames that reach past the ends by reflection (`snip-edges=false`), DC
removal, pre-emphasis 0.97, Povey window, power spectrum, triangular mel filters, logarithm. They
are rearranged to do less per frame: pre-emphasis runs once over the samples instead of once over
each overlapping frame, and frames go through the FFT in blocks that stay in the cache.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from deep_speaker.config import KaldiFilterbank
from deep_speaker.features.spectra import (
    BLOCK_FRAMES,
    ENERGY_FLOOR,
    cut_frames,
    power_spectrum,
    triangular_filters,
)

PREEMPHASIS = 0.97
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


def compute_filterbanks(
    samples: np.ndarray, features: KaldiFilterbank
) -> tuple[np.ndarray, np.ndarray]:
    """Compute log-mel filterbanks and log energies of an utterance.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers.

    Returns:
        filterbanks: float32, shape (frames, mels), natural logarithm of mel energies.
        log_energies: float32, shape (frames,), of each frame after DC removal and before
            pre-emphasis and window, as Kaldi's raw energy.
        Both have 0 frames if there are fewer samples than half a frame shift.
    """
    length, shift = features.frame_samples
    window, mel_filters = povey_window(length), mel_filterbank(features)
    num_frames = (len(samples) + shift // 2) // shift
    filterbanks = np.empty((num_frames, features.num_mels), dtype=np.float32)
    log_energies = np.empty(num_frames, dtype=np.float32)
    if num_frames == 0:
        return filterbanks, log_energies
    # Frames lose their means below; without a large offset the sums there are exact enough.
    padded = _reflect_ends(samples - samples.mean(), length, shift, num_frames)
    emphasised = np.empty_like(padded)
    emphasised[0] = 0  # the Povey window is 0 there
    np.multiply(padded[:-1], np.float32(-PREEMPHASIS), out=emphasised[1:])
    emphasised[1:] += padded[1:]
    buffer = np.zeros((BLOCK_FRAMES, _fft_length(length)), dtype=np.float32)
    for start, frames, emphasised_frames in _blocks(padded, emphasised, length, shift):
        stop = start + len(frames)
        means = frames.mean(axis=1)
        offsets = length * means * means
        energies = np.einsum("ij,ij->i", frames, frames) - offsets
        # In digital silence beside speech the offset is nearly all of the sum: compute it anew.
        cancelled = np.flatnonzero(energies < CANCELLATION * offsets)
        if len(cancelled):
            centred = frames[cancelled].astype(np.float64)  # so that silence is exactly 0
            centred -= centred.mean(axis=1, keepdims=True)
            energies[cancelled] = np.einsum("ij,ij->i", centred, centred)
        log_energies[start:stop] = np.log(np.maximum(energies, ENERGY_FLOOR))
        windowed = buffer[: len(frames)]
        np.multiply(emphasised_frames, window, out=windowed[:, :length])
        # Pre-emphasis leaves this much of the frame's mean.
        windowed[:, :length] -= ((1 - PREEMPHASIS) * means)[:, np.newaxis] * window
        np.matmul(power_spectrum(windowed), mel_filters, out=filterbanks[start:stop])
    np.maximum(filterbanks, ENERGY_FLOOR, out=filterbanks)
    np.log(filterbanks, out=filterbanks)
    return filterbanks, log_energies


def _fft_length(frame_length: int) -> int:
    """Return the next power of two."""
    return 1 << (frame_length - 1).bit_length()


def _reflect_ends(samples: np.ndarray, length: int, shift: int, num_frames: int) -> np.ndarray:
    """Reflect the ends so that frame i is centred on sample (i + 1/2) * shift."""
    left = length // 2 - shift // 2
    right = (num_frames - 1) * shift + length - left - len(samples)
    padded = np.pad(samples, (left, max(right, 0)), mode="symmetric")
    return padded[: (num_frames - 1) * shift + length]


def _blocks(
    padded: np.ndarray, emphasised: np.ndarray, length: int, shift: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    frames, emphasised_frames = (cut_frames(item, length, shift) for item in (padded, emphasised))
    for start in range(0, len(frames), BLOCK_FRAMES):
        stop = start + BLOCK_FRAMES
        yield start, frames[start:stop], emphasised_frames[start:stop]


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


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127 * np.log1p(np.asarray(frequency) / 700)
