"""Sampling rates changed by a polyphase filter, of whole recordings or piece by piece."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import gcd

import numpy as np

REACH = 10  # of the filter to either side, in samples of the lower rate


def resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Change the sampling rate of samples (num_samples,), float32 in and out."""
    from scipy.signal import resample_poly  # slow to import, and seldom needed

    up, down = _factors(rate, new_rate)
    resampled: np.ndarray = resample_poly(samples, up, down, window=_filter(max(up, down)))
    return resampled


def _factors(rate: int, new_rate: int) -> tuple[int, int]:
    common = gcd(rate, new_rate)
    return new_rate // common, rate // common


@lru_cache
def _filter(factor: int) -> np.ndarray:
    """Design the low-pass that `resample_poly` has by default."""
    from scipy.signal import firwin

    taps = firwin(2 * REACH * factor + 1, 1 / factor, window=("kaiser", 5.0))
    return taps.astype(np.float32)


def resample_pieces(pieces: Iterable[np.ndarray], rate: int, new_rate: int) -> Iterator[np.ndarray]:
    """Change the sampling rate of samples that come in pieces, to those that `resample` gives.

    A piece is filtered with as much of its neighbours as the filter reaches. It is cut where a
    sample of the old rate falls on one of the new, which is every `down` samples.
    """
    up, down = _factors(rate, new_rate)
    margin = -(-REACH * max(1, -(-down // up)) // down) * down
    held, before = np.empty(0, dtype=np.float32), 0  # samples, of which the first are done with
    for piece in pieces:
        held = np.concatenate([held, piece])
        ready = (len(held) - margin) // down * down
        if ready > before:
            yield resample(held, rate, new_rate)[before * up // down : ready * up // down]
            held, before = held[max(0, ready - margin) :], min(ready, margin)
    yield resample(held, rate, new_rate)[before * up // down :]
