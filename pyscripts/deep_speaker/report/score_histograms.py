"""Histograms of the scores of target and nontarget trials."""

from typing import NamedTuple

import numpy as np

NUM_BINS = 100


class ScoreHistogram(NamedTuple):
    """Densities per class: times the width of a bin they add up to 1, or less with infinite scores.

    Attributes:
        edges: of the bins, shape (bins + 1,).
        num_infinite: scores that no bin holds.
    """

    edges: np.ndarray
    target: np.ndarray
    nontarget: np.ndarray
    num_infinite: int


def score_histogram(scores: np.ndarray, is_target: np.ndarray) -> ScoreHistogram | None:
    """The histogram of scores (trials,); None where no score is finite."""
    finite = np.isfinite(scores)
    if not finite.any():
        return None
    edges = np.histogram_bin_edges(scores[finite], NUM_BINS)
    target, nontarget = (
        np.histogram(scores[finite & chosen], edges)[0] / max(chosen.sum(), 1) / np.diff(edges)
        for chosen in (is_target, ~is_target)
    )
    return ScoreHistogram(edges, target, nontarget, int((~finite).sum()))
