"""Replicates of a trial list, as weights of the pairs of speakers behind its trials."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from deep_speaker.metrics.error_rates import ErrorRates


@dataclass(frozen=True)
class Replicates:
    """Some replicates; those without targets or nontargets are not kept.

    Attributes:
        weights: of each pair, per class: float32, shape (pairs, replicates).
        rejected: trials below each threshold, at last all, per class: (thresholds + 1, replicates).
        kept: bool, shape (replicates,).
    """

    weights: Sequence[np.ndarray]
    rejected: Sequence[np.ndarray]
    kept: np.ndarray

    def rates(self, thresholds: np.ndarray) -> ErrorRates:
        """Return the error rates of those that are kept: shape (thresholds + 1, kept)."""
        kept = slice(None) if self.kept.all() else self.kept  # which copies nothing
        miss, correct = (part[:, kept] / part[-1, kept] for part in self.rejected)
        return ErrorRates(miss, np.subtract(1, correct, out=correct), thresholds)

    def mean_losses(self, sums: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the mean losses of those that are kept, per class: shape (metrics, kept).

        Args:
            sums: losses of each pair, per class, shape (metrics, pairs).
        """
        return [
            (part @ weights)[:, self.kept] / rejected[-1, self.kept]
            for part, weights, rejected in zip(sums, self.weights, self.rejected, strict=True)
        ]


def count_replicates(counts: Sequence[csc_array], weights: Sequence[np.ndarray]) -> Replicates:
    """Count the trials of replicates.

    Args:
        counts: trials of each pair from one threshold to the next, per class: (thresholds, pairs).
        weights: of each pair, per class: shape (pairs, replicates).
    """
    rejected = [_cumulate(part @ weight) for part, weight in zip(counts, weights, strict=True)]
    return Replicates(weights, rejected, np.logical_and(*(part[-1] > 0 for part in rejected)))


def _cumulate(counts: np.ndarray) -> np.ndarray:
    """Add up counts before each row, at last all: float64, shape (rows + 1, replicates)."""
    sums = np.zeros((len(counts) + 1, counts.shape[1]))
    sums[1:] = counts  # as float64 first: cumsum is slow where it converts as it goes
    np.cumsum(sums, axis=0, out=sums)
    return sums
