"""Histograms: every finite score is in a bin once."""

import numpy as np
import pytest

from deep_speaker.report.score_histograms import NUM_BINS, histogram_figure, score_histogram
from deep_speaker.report.styles import phase_styles
from support.plots import texts


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


def test_histograms_mark_thresholds_and_show_all_phases(drawn: list) -> None:
    rng = np.random.default_rng(0)
    is_target = rng.random(400) < 0.5
    made = {
        phase: score_histogram(5 * rng.normal(size=400) + 9 * is_target, is_target)
        for phase in ("statistics", "pretraining", "finetuning")
    }
    found = {phase: histogram for phase, histogram in made.items() if histogram}
    thresholds = {"p = 0.01": 4.595, "p = 0.05": 2.944}
    styles = phase_styles(found)
    svg = histogram_figure("h", found, "finetuning", "LLR, nats", thresholds, styles)
    main, *others = drawn[0].axes
    assert [axes.get_title(loc="left") for axes in others] == ["statistics", "pretraining"]
    assert sorted(line.get_xdata()[0] for line in main.lines) == [2.944, 4.595]
    values = [patch.get_data().values for patch in main.patches]
    assert np.array_equal(values[0], found["finetuning"].nontarget)
    assert np.array_equal(values[1], found["finetuning"].target)
    assert {"nontarget", "target", "p = 0.01", "LLR, nats", "density"} <= set(texts(svg))
    alone = {"finetuning": found["finetuning"]}
    assert "p = 0.01" not in texts(histogram_figure("h", alone, "finetuning", "score", {}, styles))
