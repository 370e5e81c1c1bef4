"""Trials by the pairs of speakers behind them, which a bootstrap weighs."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array


@dataclass(frozen=True)
class PairedTrials:
    """The trials of a class, by the speakers behind them."""

    pair: np.ndarray  # int32 (trials of the class,): a row of the two following
    first: np.ndarray  # int (pairs,): rows of the weights
    second: np.ndarray  # likewise; where both are one speaker, the last row, which holds ones

    def weights(self, of_speakers: np.ndarray) -> np.ndarray:
        """Return the weight of each pair in each replicate: float32, shape (pairs, replicates)."""
        weights = of_speakers[self.first]
        weights *= of_speakers[self.second]
        return weights

    def count_bins(self, bins: np.ndarray, num_bins: int) -> csc_array:
        """Count the trials of each pair in each bin: shape (bins, pairs).

        By columns in memory: products with weights are then up to eight times faster. float32
        where it holds all counts exactly.
        """
        ones = np.ones(len(bins), np.float32 if len(bins) < 2**24 else np.float64)
        return coo_array((ones, (bins, self.pair)), (num_bins, len(self.first))).tocsc()

    def sum_by_pair(self, values: np.ndarray) -> np.ndarray:
        """Add up values over the trials of each pair: float64, shape (pairs,)."""
        return np.bincount(self.pair, values, minlength=len(self.first))


def pair_trials(enroll: np.ndarray, test: np.ndarray, num_speakers: int) -> PairedTrials:
    """Find the pairs of speakers, in either order, behind some trials.

    Args:
        enroll: speakers from 0 to `num_speakers` - 1, shape (trials,).
        test: likewise.
    """
    codes = np.minimum(enroll, test).astype(np.int64) * num_speakers + np.maximum(enroll, test)
    distinct, pair = np.unique(codes, return_inverse=True)
    first, second = np.divmod(distinct, num_speakers)
    return PairedTrials(
        pair.astype(np.int32), first, np.where(first == second, num_speakers, second)
    )
