"""Trials by the pairs of speakers behind them, which a bootstrap weighs."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array

from deep_speaker.metrics.error_rates import blocks


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

    def sum_by_pair(self, values: np.ndarray, trials: slice, sums: np.ndarray) -> None:
        """Add values of some consecutive trials to the sums of their pairs: float64, (pairs,)."""
        np.add.at(sums, self.pair[trials], values.astype(np.float64))


def pair_trials(
    enroll: np.ndarray, test: np.ndarray, chosen: np.ndarray, num_speakers: int
) -> PairedTrials:
    """Find the pairs of speakers, in either order, behind the trials of a class.

    Args:
        enroll: speakers from 0 to `num_speakers` - 1, shape (trials,).
        test: likewise.
        chosen: the trials of the class: bool, shape (trials,).
    """

    def codes_of(part: slice) -> np.ndarray:
        sides = enroll[part][chosen[part]], test[part][chosen[part]]
        return np.minimum(*sides).astype(np.int64) * num_speakers + np.maximum(*sides)

    distinct, new = np.empty(0, np.int64), [np.empty(0, np.int64)]
    for part in blocks(len(chosen)):
        new.append(find_distinct(codes_of(part)))
        if sum(map(len, new)) > len(distinct):  # seldom, so that all is sorted but a few times
            distinct, new = find_distinct(np.concatenate([distinct, *new])), []
    distinct = find_distinct(np.concatenate([distinct, *new]))
    pair = np.empty(np.count_nonzero(chosen), np.int32)
    start = 0
    for part in blocks(len(chosen)):
        found = np.searchsorted(distinct, codes_of(part))
        pair[start : start + len(found)] = found
        start += len(found)
    first, second = np.divmod(distinct, num_speakers)
    return PairedTrials(pair, first, np.where(first == second, num_speakers, second))


def find_distinct(codes: np.ndarray) -> np.ndarray:
    """Return the numbers that there are, sorted.

    NumPy's `unique` looks whole numbers up in a table, which takes 100 times as long for millions.
    """
    ordered = np.sort(codes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
