"""A score on a scale: where it lies among those of held-out speakers, and of the threshold."""

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from deep_speaker.scoring.decision_table import DecisionTable

SMOOTHING = 7  # points of the table, the deviation of a Gaussian: curves, not the noise of counts


@dataclass(frozen=True)
class ScoreScale:
    """A scale of the width of its container: places are per cent from its left end.

    Attributes:
        score, threshold: where they lie.
        same, different: curves of the densities of both kinds of pairs as SVG paths, in a box of
            100 by 100; both have the same area.
        ticks: places and labels.
    """

    score: float
    threshold: float
    same: str
    different: str
    ticks: list[tuple[float, str]]


def draw_scale(table: DecisionTable, score: float, threshold: float) -> ScoreScale:
    """Draw a score and a threshold among the scores of a table's held-out speakers."""
    scores, same, different = densities(table)
    low, high = min(scores[0], score, threshold), max(scores[-1], score, threshold)
    highest = max(same.max(), different.max())
    places = 100 * (scores - low) / (high - low)

    def place(value: float) -> float:
        return float(100 * (value - low) / (high - low))

    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    return ScoreScale(
        place(score),
        place(threshold),
        area(places, same / highest),
        area(places, different / highest),
        [(place(tick), f"{tick:.4g}") for tick in ticks],
    )


def densities(table: DecisionTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, and the smoothed shares of target and of nontarget scores at each."""
    reach = 3 * SMOOTHING
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHING) ** 2)
    kernel /= kernel.sum()
    shares = np.diff(table.miss_rates), -np.diff(table.false_alarm_rates)
    same, different = (np.convolve(each, kernel) for each in shares)
    step = (table.thresholds[-1] - table.thresholds[0]) / len(shares[0])
    scores = table.thresholds[0] + step * (np.arange(-reach, len(shares[0]) + reach) + 0.5)
    return scores, same, different


def area(places: np.ndarray, heights: np.ndarray) -> str:
    """Return the path of the area below a curve: heights are shares of the box, from its foot."""
    corners = [f"{x:.2f},{100 - 100 * y:.2f}" for x, y in zip(places, heights, strict=True)]
    return f"M{places[0]:.2f},100L" + "L".join(corners) + f"L{places[-1]:.2f},100Z"
