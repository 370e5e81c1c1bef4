"""Log-mel filterbanks in decibels, numerically those of SpeechBrain's Fbank.

The steps are those of speechbrain.lobes.features.Fbank 1.1.2, on waveforms in -1..1: zeros around
the waveform, frames under a periodic Hamming window, an FFT of their length, the power, triangular
filters of its own, 10 log10, and a floor 80 dB below the loudest value of the utterance. The mean
of a frame stays in it, and there is no pre-emphasis. The numbers are equal at 16 kHz and 25 ms,
where the length of a frame is even.
"""

from functools import lru_cache

import numpy as np

from deep_speaker.config import SpeechBrainFilterbank
from deep_speaker.features.blocks import Layout, cut_frames
from deep_speaker.features.spectra import (
    FULL_SCALE,
    frame_energies,
    periodic_window,
    power_spectrum,
)

LEAST_POWER = 1e-10
RANGE_DB = 80


def filterbank_options(features: SpeechBrainFilterbank) -> str:
    """Return the speechbrain_fbank.conf of a data directory: how its features were made."""
    return (
        "# Computed as SpeechBrain does; no program of Kaldi's computes these features.\n"
        f"sampling_rate={features.sampling_rate}\n"
        f"frame_length_ms={features.frame_length_ms:g}\n"
        f"frame_shift_ms={features.frame_shift_ms:g}\n"
        f"num_mels={features.num_mels}\n"
    )


def layout(features: SpeechBrainFilterbank) -> Layout:
    """Return where frames lie: frame i is centred on sample i * shift; zeros lie around."""
    length, shift = features.frame_samples
    return Layout(length, shift, length // 2, length // 2, "constant", fewest=1)


def compute_block(
    samples: np.ndarray, features: SpeechBrainFilterbank
) -> tuple[np.ndarray, np.ndarray]:
    """Compute filterbanks in decibels, without their floor, and log energies of a block of frames.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers; see `cut_blocks`.

    Returns:
        filterbanks: float32, shape (frames, num_mels), of the waveform in -1..1.
        log_energies: float32, shape (frames,), of the samples under each window, on the scale of
            16-bit integers after DC removal and before the window: the input of the energy VAD.
    """
    length, shift = features.frame_samples
    frames = cut_frames(samples, length, shift)
    window = periodic_window("hamming", length) / np.float32(FULL_SCALE)
    filterbanks = power_spectrum(frames * window) @ mel_filterbank(features)
    np.maximum(filterbanks, np.float32(LEAST_POWER), out=filterbanks)
    np.log10(filterbanks, out=filterbanks)
    filterbanks *= 10
    return filterbanks, frame_energies(frames)


def raise_to_floor(filterbanks: np.ndarray) -> None:
    """Raise the values of an utterance, in place, that lie far below the loudest of all."""
    np.maximum(filterbanks, filterbanks.max() - RANGE_DB, out=filterbanks)


@lru_cache
def mel_filterbank(features: SpeechBrainFilterbank) -> np.ndarray:
    """Return triangular filters, equally spaced in mel = 2595 log10(1 + f / 700), straight in Hz.

    Both sides of a triangle are as wide as the left one should be, which leaves gaps between the
    filters. Narrow ones at low frequencies lie between two bins of the spectrum and stay empty.

    Returns:
        float32, shape (frame length / 2 + 1, num_mels).
    """
    length, _ = features.frame_samples
    nyquist = features.sampling_rate // 2
    frequencies = np.arange(length // 2 + 1) * features.sampling_rate / length
    highest_mel = 2595 * np.log10(1 + nyquist / 700)
    edges = 700 * (10 ** (np.linspace(0, highest_mel, features.num_mels + 2) / 2595) - 1)
    widths = np.diff(edges)[:-1]
    distances = np.abs(frequencies[:, np.newaxis] - edges[1:-1])
    return np.maximum(0, 1 - distances / widths).astype(np.float32)
