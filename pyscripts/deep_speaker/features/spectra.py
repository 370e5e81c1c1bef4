"""Spectra of frames and triangular filters over them, the same for all front ends."""

from functools import lru_cache

import numpy as np
import scipy.fft

FULL_SCALE = 32768  # of 16-bit integers
WINDOWS = {"hamming": 0.54, "hann": 0.5}  # a in a - (1 - a) cos
ENERGY_FLOOR = np.finfo(np.float32).eps  # Kaldi's floor, of a mel bin and of a frame


def frame_energies(frames: np.ndarray) -> np.ndarray:
    """Return the natural log of the sum of squares of each frame, less its mean: (frames,)."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    return np.log(np.maximum(np.einsum("ij,ij->i", centred, centred), ENERGY_FLOOR))


@lru_cache
def periodic_window(name: str, length: int) -> np.ndarray:
    """Return a window that is periodic: the next one would begin where it ends."""
    share = WINDOWS[name]
    phase = 2 * np.pi * np.arange(length) / length
    return (share - (1 - share) * np.cos(phase)).astype(np.float32)


def power_spectrum(frames: np.ndarray) -> np.ndarray:
    """Return the power of each frequency: shape (frames, length / 2 + 1) of (frames, length)."""
    spectrum = scipy.fft.rfft(frames, axis=1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def triangular_filters(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return filters that rise from one edge to the next, and fall to the one after that.

    Args:
        points: where the filters are evaluated, in the unit of the edges.
        edges: rising, shape (filters + 2,).

    Returns:
        From 0 to 1, shape (points, filters).

    >>> triangular_filters(np.arange(5), np.array([0, 2, 4])).T
    array([[0. , 0.5, 1. , 0.5, 0. ]])
    """
    points = points[:, np.newaxis]
    rising = (points - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - points) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))
