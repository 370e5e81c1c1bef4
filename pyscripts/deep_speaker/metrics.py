"""Error rates of verification and identification.

Conventions: a higher score means more alike; a trial is accepted when its score reaches the
threshold, so equal scores are accepted or rejected together. Rates are shares (0 to 1).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

C_MISS = 1.0
C_FALSE_ALARM = 1.0


class ErrorRates(NamedTuple):
    """Miss and false-alarm rates at every threshold that tells scores apart, from lax to strict.

    The first accepts all trials, the last none. `thresholds` has one value less: thresholds[i]
    is the lowest score still accepted at point i.
    """

    miss: np.ndarray
    false_alarm: np.ndarray
    thresholds: np.ndarray


def error_rates(scores: np.ndarray, is_target: np.ndarray) -> ErrorRates:
    """Error rates over all thresholds from one sort.

    Args:
        scores: float, shape (trials,), no NaN.
        is_target: bool, shape (trials,).

    Raises:
        ValueError: a class is missing, or a score is not a number.
    """
    scores, is_target = np.asarray(scores), np.asarray(is_target, dtype=bool)
    num_targets = int(is_target.sum())
    num_nontargets = len(is_target) - num_targets
    if not num_targets or not num_nontargets:
        raise ValueError(
            f"{num_targets} target and {num_nontargets} nontarget trials: both kinds are needed"
        )
    check_numbers(scores)
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    last_of_equals = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    rejected_targets = np.cumsum(is_target[order])[last_of_equals]
    rejected_nontargets = last_of_equals + 1 - rejected_targets
    miss = np.concatenate([[0.0], rejected_targets / num_targets])
    false_alarm = np.concatenate([[1.0], 1 - rejected_nontargets / num_nontargets])
    return ErrorRates(miss, false_alarm, ordered[np.append(0, last_of_equals[:-1] + 1)])


def check_numbers(scores: np.ndarray) -> None:
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not numbers")


def equal_error_rate(rates: ErrorRates) -> float:
    """The rate at which misses equal false alarms.

    The points of `rates` are joined by straight lines (as scikit-learn's ROC is); the EER is where
    that curve crosses the diagonal.

    >>> scores, is_target = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])
    >>> equal_error_rate(error_rates(scores, is_target))
    0.5
    """
    difference = rates.miss - rates.false_alarm  # rises from -1 to 1
    after = int(np.argmax(difference >= 0))
    before = after - 1
    share = -difference[before] / (difference[after] - difference[before])
    return float(rates.miss[before] + share * (rates.miss[after] - rates.miss[before]))


def min_dcf(rates: ErrorRates, p_target: float) -> float:
    """Minimum detection cost (NIST SRE), normalised by the better of accepting and rejecting all.

    With C_miss = C_fa = 1: min over thresholds of (p P_miss + (1 - p) P_fa) / min(p, 1 - p).
    """
    miss_cost = C_MISS * p_target
    false_alarm_cost = C_FALSE_ALARM * (1 - p_target)
    costs = miss_cost * rates.miss + false_alarm_cost * rates.false_alarm
    return float(costs.min() / min(miss_cost, false_alarm_cost))


def identification_accuracy(
    anchors: Sequence[str], scores: np.ndarray, is_target: np.ndarray, rank: int = 1
) -> float:
    """Share of anchors whose best positive scores among their `rank` best (ties are failures).

    That is, above all of their negatives but `rank` - 1.

    Args:
        anchors: what is asked for in each trial, shape (trials,).

    Raises:
        ValueError: no anchor has both a positive and a negative.
    """
    check_numbers(scores)
    groups: dict[str, int] = {}
    group = np.array([groups.setdefault(anchor, len(groups)) for anchor in anchors])
    best_positive = np.full(len(groups), -np.inf)
    np.maximum.at(best_positive, group[is_target], scores[is_target])
    has_positive = np.bincount(group[is_target], minlength=len(groups)) > 0
    has_negative = np.bincount(group[~is_target], minlength=len(groups)) > 0
    complete = has_positive & has_negative
    if not complete.any():
        raise ValueError("no anchor has both a positive and a negative")
    above = group[~is_target & (scores >= best_positive[group])]
    return float((np.bincount(above, minlength=len(groups)) < rank)[complete].mean())
