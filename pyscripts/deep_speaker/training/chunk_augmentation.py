"""Augmentation: random changes of a chunk in the log-mel domain.

Each chunk has random numbers of its own, so that it is the same whichever rank makes it. A chunk
at a time also stays in the processor's cache, which a batch does not.
"""

import functools

import numpy as np

from deep_speaker.config import Augmentation

EQUALISER_KNOTS = 6
DECIBEL = np.log(10) / 10  # of power, in natural-log units
evenly = functools.cache(np.linspace)


def augment(
    chunk: np.ndarray, options: Augmentation, scale: float, rng: np.random.Generator
) -> None:
    """Change a normalised chunk at random, in place; see the functions below for each change.

    Args:
        chunk: float32, shape (frames, mels).
        scale: natural-log units in one unit of the chunk.
    """
    if rng.random() < options.noise_probability:
        add_noise(chunk, options.noise_snr_db, scale, rng)
    if options.equaliser_db:
        chunk += random_equaliser(chunk.shape[1], options.equaliser_db, rng) / np.float32(scale)
    if options.frequency_mask_bins:
        mask(chunk.T, options.frequency_mask_bins, rng)
    if options.time_mask_frames:
        mask(chunk, options.time_mask_frames, rng)


def random_equaliser(mels: int, deviation_db: float, rng: np.random.Generator) -> np.ndarray:
    """Draw another microphone: a smooth gain, linear between knots over the bins.

    Returns:
        Natural-log units of power, shape (mels,); the knots deviate by `deviation_db`.
    """
    gains = rng.normal(0, deviation_db * DECIBEL, EQUALISER_KNOTS)
    position = evenly(0, EQUALISER_KNOTS - 1, mels)
    return np.interp(position, np.arange(EQUALISER_KNOTS), gains).astype(np.float32)


def add_noise(
    chunk: np.ndarray, snr_db: tuple[float, float], scale: float, rng: np.random.Generator
) -> None:
    """Add stationary noise of a random spectral tilt: log(speech + noise) in each bin.

    The signal-to-noise ratio is drawn from the range `snr_db`, against the chunk's mean power. Each
    frame's noise fluctuates by about 1 dB, as the power of real noise in a mel band does.
    """
    mean = chunk.mean(axis=0)
    power = np.exp(chunk * np.float32(scale))
    level = np.log(power.mean()) - rng.uniform(*snr_db) * DECIBEL
    tilt = rng.standard_normal() * evenly(-1, 1, chunk.shape[1])
    noise_power = np.exp(level + tilt).astype(np.float32)
    fluctuation = 1 + np.float32(0.25) * rng.standard_normal(chunk.shape, dtype=np.float32)
    power += noise_power * np.maximum(fluctuation, np.float32(0.1))
    chunk[:] = np.log(power) / np.float32(scale)
    # Normalisation takes out the mean that the noise adds.
    chunk += mean - chunk.mean(axis=0)


def mask(chunk: np.ndarray, widest: int, rng: np.random.Generator) -> None:
    """Set one band of 0 to `widest` rows of a chunk to 0: SpecAugment (Park et al. 2019)."""
    width = rng.integers(min(widest, len(chunk)) + 1)
    start = rng.integers(len(chunk) - width + 1)
    chunk[start : start + width] = 0
