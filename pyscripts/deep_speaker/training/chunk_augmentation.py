"""Augmentation: random changes of chunks in the log-mel domain, for whole batches at once."""

import numpy as np

from deep_speaker.config import Augmentation

EQUALISER_KNOTS = 6
DECIBEL = np.log(10) / 10  # of power, in natural-log units


def augment(
    chunks: np.ndarray, options: Augmentation, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Change normalised chunks at random; see the functions below for each change.

    Args:
        chunks: float32, shape (batch, frames, mels).
        scale: natural-log units in one unit of the chunks.
    """
    if options.noise_probability:
        chunks = add_noise(chunks, options, scale, rng)
    if options.equaliser_db:
        chunks = chunks + random_equaliser(chunks, options.equaliser_db, rng) / np.float32(scale)
    if options.frequency_mask_bins:
        chunks = mask(chunks, 2, options.frequency_mask_bins, rng)
    if options.time_mask_frames:
        chunks = mask(chunks, 1, options.time_mask_frames, rng)
    return chunks


def random_equaliser(
    chunks: np.ndarray, deviation_db: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw another microphone: a smooth gain per chunk, linear between knots over the bins.

    Returns:
        Natural-log units of power, shape (batch, 1, mels); the knots deviate by `deviation_db`.
    """
    batch, _, mels = chunks.shape
    gains = rng.normal(0, deviation_db * DECIBEL, (batch, EQUALISER_KNOTS))
    position = np.linspace(0, EQUALISER_KNOTS - 1, mels)
    left = np.minimum(position.astype(int), EQUALISER_KNOTS - 2)
    share = position - left
    curve = gains[:, left] * (1 - share) + gains[:, left + 1] * share
    return curve[:, np.newaxis].astype(np.float32)


def add_noise(
    chunks: np.ndarray, options: Augmentation, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Add stationary noise of a random spectral tilt: log(speech + noise) in each bin.

    The signal-to-noise ratio is drawn per chunk, against the chunk's mean power. Each frame's
    noise fluctuates by about 1 dB, as the power of real noise in a mel band does.
    """
    chosen = np.flatnonzero(rng.random(len(chunks)) < options.noise_probability)
    speech = chunks[chosen] * np.float32(scale)
    batch, _, mels = speech.shape
    lowest_db, highest_db = options.noise_snr_db
    snr_db = rng.uniform(lowest_db, highest_db, (batch, 1, 1))
    tilt = np.outer(rng.normal(0, 1, batch), np.linspace(-1, 1, mels))
    power = np.exp(speech)
    level = np.log(power.mean(axis=(1, 2), keepdims=True)) - snr_db * DECIBEL
    noise_power = np.exp(level + tilt[:, np.newaxis]).astype(np.float32)
    fluctuation = 1 + np.float32(0.25) * rng.standard_normal(speech.shape, dtype=np.float32)
    power += noise_power * np.maximum(fluctuation, np.float32(0.1))
    noisy = np.log(power) / np.float32(scale)
    # Normalisation takes out the mean that the noise adds.
    noisy -= noisy.mean(axis=1, keepdims=True) - chunks[chosen].mean(axis=1, keepdims=True)
    chunks = chunks.copy()
    chunks[chosen] = noisy
    return chunks


def mask(chunks: np.ndarray, axis: int, widest: int, rng: np.random.Generator) -> np.ndarray:
    """Set one band of 0 to `widest` bins (or frames) to 0: SpecAugment (Park et al. 2019)."""
    batch, size = len(chunks), chunks.shape[axis]
    width = rng.integers(min(widest, size) + 1, size=batch)
    start = (rng.random(batch) * (size - width + 1)).astype(int)
    index = np.arange(size)
    kept = (index < start[:, np.newaxis]) | (index >= (start + width)[:, np.newaxis])
    shape = (batch, size, 1) if axis == 1 else (batch, 1, size)
    return chunks * kept.reshape(shape)
