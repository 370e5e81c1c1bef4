"""Histograms of the scores of target and nontarget trials."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from deep_speaker.report.drawing import INK, PALE, PLOT_SETTINGS, new_figure, to_svg
from deep_speaker.report.styles import Style

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
    """Return the histogram of scores (trials,); None where no score is finite."""
    finite = np.isfinite(scores)
    if not finite.any():
        return None
    edges = np.histogram_bin_edges(scores[finite], NUM_BINS)
    target, nontarget = (
        np.histogram(scores[finite & chosen], edges)[0] / max(chosen.sum(), 1) / np.diff(edges)
        for chosen in (is_target, ~is_target)
    )
    return ScoreHistogram(edges, target, nontarget, int((~finite).sum()))


@matplotlib.rc_context(PLOT_SETTINGS)  # type: ignore[arg-type]
def histogram_figure(
    name: str,
    histograms: Mapping[str, ScoreHistogram],
    main: str,
    unit: str,
    thresholds: Mapping[str, float],
    styles: Mapping[str, Style],
) -> str:
    """Draw the scores of one phase large, and of the others small beside it.

    Args:
        histograms: by phase.
        main: the phase to draw large.
        unit: of its scores.
        thresholds: to mark among its scores, by their labels.
        styles: by phase.
    """
    others = [phase for phase in histograms if phase != main]
    rows = -(-len(others) // 2)
    figure = new_figure(1120, max(330, 130 * rows))
    grid = figure.add_gridspec(max(rows, 1), 4 if others else 2)
    axes = figure.add_subplot(grid[:, :2])
    _draw_histogram(axes, histograms[main], styles[main])
    axes.set(title=main, xlabel=unit, ylabel="density")
    _mark_thresholds(axes, thresholds)
    axes.legend(loc="upper left")
    for i, phase in enumerate(others):
        small = figure.add_subplot(grid[i // 2, 2 + i % 2])
        _draw_histogram(small, histograms[phase], styles[phase])
        _simplify(small, phase)
    return to_svg(figure, name, "Histograms of target and nontarget scores")


def _draw_histogram(axes: Axes, histogram: ScoreHistogram, style: Style) -> None:
    """Draw nontargets grey, targets in the colour of the phase."""
    edges = histogram.edges
    axes.stairs(histogram.nontarget, edges, fill=True, color=PALE, label="nontarget")
    axes.stairs(histogram.target, edges, fill=True, color=style.colour, alpha=0.25)
    axes.stairs(histogram.target, edges, color=style.colour, linewidth=1.5, label="target")
    axes.set_ylim(bottom=0)
    axes.grid(axis="x", visible=False)


def _mark_thresholds(axes: Axes, thresholds: Mapping[str, float]) -> None:
    for i, (label, value) in enumerate(sorted(thresholds.items(), key=lambda each: each[1])):
        axes.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        side = "left" if i else "right"  # two lie close together: labels on their outer sides
        axes.annotate(label, (value, 1), xycoords=("data", "axes fraction"), ha=side, va="bottom",
                      xytext=(0, 3), textcoords="offset points", fontsize=11)  # fmt: skip


def _simplify(axes: Axes, title: str) -> None:
    """Leave what a small plot has place for."""
    axes.set_title(title, fontsize=12, pad=4)
    axes.set_yticks([])
    axes.tick_params(labelsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(5))
