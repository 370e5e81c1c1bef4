"""Mel filterbanks, numerically those of the package python_speech_features (its `fbank`).

The steps are the package's: pre-emphasis 0.97 once over the waveform in -1..1, frames from the
first sample on under a rectangular window, the last one padded with zeros, the power spectrum over
the length of the FFT, triangular filters between whole bins, no logarithm. Then, as Philippe Rémy's
Deep Speaker does (deep_speaker/audio.py), each frame to zero mean and unit deviation over its mels.
The package itself is not needed.
"""

from functools import lru_cache

import numpy as np

from deep_speaker.config import PythonSpeechFeatures
from deep_speaker.features.blocks import BLOCK_FRAMES, cut_frames
from deep_speaker.features.spectra import (
    FULL_SCALE,
    frame_energies,
    power_spectrum,
)

PREEMPHASIS = 0.97
ZERO_ENERGY = np.finfo(np.float64).eps  # in place of 0, in a filter without a bin or in silence
DEVIATION_FLOOR = 1e-12


def filterbank_options(features: PythonSpeechFeatures) -> str:
    """Return the python_speech_features.conf of a data directory: how its features were made."""
    lines = [
        "# Computed as python_speech_features does, each frame to zero mean and unit deviation;",
        "# no program of Kaldi's computes these features.",
        f"sampling_rate={features.sampling_rate}",
        f"frame_length_ms={features.frame_length_ms:g}",
        f"frame_shift_ms={features.frame_shift_ms:g}",
        f"fft_length={features.fft_length}",
        f"num_mels={features.num_mels}",
    ]
    return "\n".join(lines) + "\n"


def count_frames(num_samples: int, features: PythonSpeechFeatures) -> int:
    """Return the number of frames that hold all samples: 1 or more."""
    length, shift = features.frame_samples
    return 1 + max(0, -((length - num_samples) // shift))


def compute_filterbanks(
    samples: np.ndarray, features: PythonSpeechFeatures, num_frames: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute standardised mel filterbanks, and log energies of an utterance.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers.
        num_frames: if not as many as hold all samples; zeros follow these.

    Returns:
        filterbanks: float32, shape (frames, mels), each frame of mean 0 and deviation 1; of digital
            silence 0.
        log_energies: float32, shape (frames,), of the samples in each frame, on the scale of 16-bit
            integers after DC removal: the input of the energy VAD.
    """
    length, shift = features.frame_samples
    if num_frames is None:
        num_frames = count_frames(len(samples), features)
    padded = np.zeros(max(len(samples), (num_frames - 1) * shift + length), dtype=np.float32)
    padded[: len(samples)] = samples
    emphasised = padded / np.float32(FULL_SCALE)
    emphasised[1 : len(samples)] -= np.float32(PREEMPHASIS) * emphasised[: len(samples) - 1]
    frames = cut_frames(padded, length, shift)[:num_frames]
    emphasised_frames = cut_frames(emphasised, length, shift)[:num_frames]
    filterbanks = np.empty((num_frames, features.num_mels), dtype=np.float32)
    log_energies = np.empty(num_frames, dtype=np.float32)
    buffer = np.zeros((BLOCK_FRAMES, features.fft_length), dtype=np.float32)
    for start in range(0, num_frames, BLOCK_FRAMES):
        block = slice(start, start + BLOCK_FRAMES)
        log_energies[block] = frame_energies(frames[block])
        windowed = buffer[: len(frames[block])]
        windowed[:, :length] = emphasised_frames[block]
        power = power_spectrum(windowed) / np.float32(features.fft_length)
        filterbanks[block] = standardise(power @ mel_filterbank(features))
    return filterbanks, log_energies


def standardise(energies: np.ndarray) -> np.ndarray:
    """Shift and scale each frame (frames, mels) to zero mean and unit deviation over its mels."""
    values = np.where(energies == 0, ZERO_ENERGY, energies.astype(np.float64))
    values -= values.mean(axis=1, keepdims=True)
    return values / np.maximum(values.std(axis=1, keepdims=True), DEVIATION_FLOOR)


@lru_cache
def mel_filterbank(features: PythonSpeechFeatures) -> np.ndarray:
    """Return triangular filters, equally spaced in mel = 2595 log10(1 + f / 700).

    Their edges are whole bins of the spectrum, (fft_length + 1) f / sampling_rate rounded down.
    Where two edges fall on one bin, a filter has no rise or no fall, or is empty.

    Returns:
        float32, shape (fft_length / 2 + 1, num_mels).
    """
    highest_mel = 2595 * np.log10(1 + features.sampling_rate / 2 / 700)
    mels = np.linspace(0, highest_mel, features.num_mels + 2)
    frequencies = 700 * (10 ** (mels / 2595) - 1)
    edges = ((features.fft_length + 1) * frequencies / features.sampling_rate).astype(int)
    filters = np.zeros((features.fft_length // 2 + 1, features.num_mels), dtype=np.float32)
    for mel, (left, centre, right) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        filters[left:centre, mel] = (np.arange(left, centre) - left) / max(centre - left, 1)
        filters[centre:right, mel] = (right - np.arange(centre, right)) / max(right - centre, 1)
    return filters
