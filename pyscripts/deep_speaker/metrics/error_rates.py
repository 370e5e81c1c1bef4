"""Error rates of verification, and where they are equal.

Conventions: a higher score means more alike; a trial is accepted when its score reaches the
threshold, so equal scores are accepted or rejected together. Rates are shares (0 to 1), costs are
normalised, Cllr is in bits. LLR: natural logarithm of the likelihood ratio, of target to nontarget.

- Scores are float32 or float64; float32 ones are compared as they are, not rounded further.
- Infinite scores are scores like others: the lowest or the highest, equal among themselves.
- NaN is refused, and so is a list without targets or without nontargets.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

TRIALS_AT_ONCE = 1 << 20  # copied together: of a longer list copies would take gigabytes


class ErrorRates(NamedTuple):
    """Miss and false-alarm rates from lax to strict: the corners of the ROC, float64 (points,).

    The first point accepts all trials, the last none. `thresholds`, of the type of the scores,
    rise: thresholds[i] is the lowest score still accepted at point i. The last is +inf, and
    stands for accepting nothing, not even a score of +inf.

    Several curves with the same thresholds have rates of shape (points, curves).
    """

    miss: np.ndarray
    false_alarm: np.ndarray
    thresholds: np.ndarray

    def as_curves(self) -> "ErrorRates":
        """Return a single curve in the form of several: rates of shape (points, 1)."""
        return ErrorRates(self.miss[:, None], self.false_alarm[:, None], self.thresholds)


def error_rates(scores: ArrayLike, is_target: ArrayLike) -> ErrorRates:
    """Compute error rates at all thresholds where the ROC turns; straight lines join them.

    These are every target score, the first nontarget score above it, and the lowest score of all:
    between them only nontargets are rejected, one after the other. So the polyline is that
    through the points of all thresholds (scikit-learn's ROC), with at most two points per distinct
    target score. Beside these, memory holds a block of the nontarget scores once more.

    Args:
        scores: float, shape (trials,), no NaN.
        is_target: bool, shape (trials,).

    Raises:
        ValueError: a class is missing, a score is not a number, or the shapes differ.
    """
    scores, is_target = check_trials(scores, is_target)
    targets = np.sort(scores[is_target])
    levels = np.unique(targets)
    below, up_to = np.zeros((2, len(levels)), np.int64)  # nontargets, of each level
    above = np.full_like(levels, np.inf)  # the first nontarget
    lowest = levels[:1]
    for part in blocks(len(scores)):
        some = np.sort(scores[part][~is_target[part]])
        ends = np.searchsorted(some, levels, side="right")
        below += np.searchsorted(some, levels)
        up_to += ends
        some = np.append(some, scores.dtype.type(np.inf))
        above = np.minimum(above, some[ends])
        lowest = np.minimum(lowest, some[:1])
    num_nontargets = len(scores) - len(targets)
    turns = up_to < num_nontargets
    thresholds, first = np.unique(np.concatenate([lowest, levels, above[turns]]), return_index=True)
    accepted = num_nontargets - np.concatenate([[0], below, up_to[turns]])[first]
    return ErrorRates(
        np.append(np.searchsorted(targets, thresholds) / len(targets), 1.0),
        np.append(accepted / num_nontargets, 0.0),
        np.append(thresholds, thresholds.dtype.type(np.inf)),
    )


def blocks(num_trials: int) -> Iterator[slice]:
    """Yield slices of trials that are to be copied together."""
    return (slice(i, i + TRIALS_AT_ONCE) for i in range(0, num_trials, TRIALS_AT_ONCE))


def split_classes(scores: ArrayLike, is_target: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Copy the scores of targets and those of nontargets, in the order of the trials.

    Raises:
        ValueError: see `error_rates`.
    """
    scores, is_target = check_trials(scores, is_target)
    return scores[is_target], scores[~is_target]


def check_trials(scores: ArrayLike, is_target: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of trials, float32 or float64, and which are targets, bool.

    Raises:
        ValueError: see `error_rates`.
    """
    scores, is_target = np.asarray(scores), np.asarray(is_target, dtype=bool)
    scores = scores.astype(np.result_type(scores, np.float32), copy=False)  # integers as float64
    if scores.shape != is_target.shape or scores.ndim != 1:
        raise ValueError(
            f"scores of shape {scores.shape} for trials of shape {is_target.shape}: one score is "
            "needed per trial"
        )
    num_targets = int(is_target.sum())
    num_nontargets = len(is_target) - num_targets
    if not num_targets or not num_nontargets:
        raise ValueError(
            f"{num_targets} target and {num_nontargets} nontarget trials: both kinds are needed"
        )
    check_numbers(scores)
    return scores, is_target


def check_numbers(scores: np.ndarray) -> None:
    """Refuse scores that are not numbers."""
    if scores.size and np.isnan(scores.min()):  # the least of several is none if one is none
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not numbers")


def equal_error_rate(rates: ErrorRates) -> float:
    """Return the rate at which misses equal false alarms.

    The points of `rates` are joined by straight lines (as scikit-learn's ROC is); the EER is where
    that curve crosses the diagonal.

    >>> scores, is_target = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])
    >>> equal_error_rate(error_rates(scores, is_target))
    0.5
    """
    return float(equal_error_rates(rates.as_curves())[0])


def equal_error_rates(rates: ErrorRates) -> np.ndarray:
    """Return the `equal_error_rate` of each curve of rates (points, curves): shape (curves,)."""
    miss = rates.miss
    difference = miss - rates.false_alarm  # rises from -1 to 1
    curve = np.arange(difference.shape[1])
    after = np.argmax(difference >= 0, axis=0), curve
    before = after[0] - 1, curve
    share = -difference[before] / (difference[after] - difference[before])
    return miss[before] + share * (miss[after] - miss[before])
