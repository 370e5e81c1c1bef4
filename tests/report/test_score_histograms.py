"""Histograms: every finite score is in a bin once."""

import numpy as np
import pytest

from deep_speaker.report.score_histograms import NUM_BINS, score_histogram


def test_counts_by_class() -> None:
    """A bin is 1 wide: 0 to 1, 1 to 2, ..., 99 to 100, with its right end."""
    scores = np.array([0.5, 0.6, 1.5, 0, 100, 99.5])
    is_target = np.array([False, False, False, False, True, True])
    histogram = score_histogram(scores, is_target)
    assert histogram is not None
    assert histogram.edges == pytest.approx(np.arange(NUM_BINS + 1))
    assert histogram.nontarget[:3].tolist() == [0.75, 0.25, 0]
    assert histogram.target[-2:].tolist() == [0, 1]
    assert (histogram.target.sum(), histogram.nontarget.sum()) == (1, 1)
    assert histogram.num_infinite == 0


def test_densities_add_up() -> None:
    rng = np.random.default_rng(0)
    is_target = rng.random(1000) < 0.3
    histogram = score_histogram(7 * rng.normal(size=1000), is_target)
    assert histogram is not None
    for density in (histogram.target, histogram.nontarget):
        assert (density * np.diff(histogram.edges)).sum() == pytest.approx(1)


def test_infinite_scores_are_counted_apart() -> None:
    scores = np.array([-np.inf, 1.0, 2.0, np.inf])
    histogram = score_histogram(scores, np.array([False, False, True, True]))
    assert histogram is not None
    assert histogram.num_infinite == 2
    widths = np.diff(histogram.edges)
    assert (histogram.target * widths).sum() == pytest.approx(0.5)
    assert score_histogram(np.array([np.inf]), np.array([True])) is None


def test_equal_scores_are_in_one_bin() -> None:
    histogram = score_histogram(np.ones(4), np.array([True, True, False, False]))
    assert histogram is not None
    assert np.count_nonzero(histogram.target) == np.count_nonzero(histogram.nontarget) == 1
