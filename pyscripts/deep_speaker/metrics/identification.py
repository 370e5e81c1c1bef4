"""Identification: the anchors whose own model or utterance is the best of all."""

import numpy as np
from numpy.typing import ArrayLike

from deep_speaker.metrics.error_rates import check_numbers


def identified_anchors(
    anchors: ArrayLike, scores: ArrayLike, is_target: ArrayLike, rank: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Find the anchors whose best positive scores among their `rank` best (ties are failures).

    That is, above all of their negatives but `rank` - 1. Anchors without a positive or without a
    negative do not count. The share of those found is the accuracy.

    Args:
        anchors: what is asked for in each trial, integer codes or any other that can be sorted,
            shape (trials,).

    Returns:
        The distinct anchors that count, ascending, and whether each is identified.

    Raises:
        ValueError: no anchor has both a positive and a negative, or a score is not a number.
    """
    scores, is_target = np.asarray(scores), np.asarray(is_target, dtype=bool)
    check_numbers(scores)
    distinct, group = np.unique(np.asarray(anchors), return_inverse=True)
    best_positive = np.full(len(distinct), -np.inf)
    np.maximum.at(best_positive, group[is_target], scores[is_target])
    has_positive = np.bincount(group[is_target], minlength=len(distinct)) > 0
    has_negative = np.bincount(group[~is_target], minlength=len(distinct)) > 0
    complete = has_positive & has_negative
    if not complete.any():
        raise ValueError("no anchor has both a positive and a negative")
    above = group[~is_target & (scores >= best_positive[group])]
    return distinct[complete], (np.bincount(above, minlength=len(distinct)) < rank)[complete]
