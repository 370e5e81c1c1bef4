"""Detection error trade-off curves (Martin et al. 1997), thinned to what a plot can show."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from deep_speaker.metrics.detection_costs import C_FALSE_ALARM, C_MISS, P_TARGETS
from deep_speaker.metrics.error_rates import ErrorRates, equal_error_rate
from deep_speaker.report.drawing import DPI, MUTED, PALE, PLOT_SETTINGS, to_svg
from deep_speaker.report.styles import Style

MAX_POINTS = 400
LOWEST = 1e-5  # rates beyond this, and beyond 1 - this, count as it: a probit axis has no 0 and 1
MARKED_P_TARGET = P_TARGETS[0]  # of the operating point that is marked


class DetCurve(NamedTuple):
    """Rates are shares, from accepting all trials to accepting none."""

    false_alarm: np.ndarray
    miss: np.ndarray
    eer: float
    min_dcf_point: tuple[float, float]  # false alarm, miss


def det_curve(rates: ErrorRates) -> DetCurve:
    """Return the curve of error rates, with its EER and the point of its minDCF."""
    p_target = MARKED_P_TARGET
    costs = C_MISS * p_target * rates.miss + C_FALSE_ALARM * (1 - p_target) * rates.false_alarm
    best = int(np.argmin(costs))
    chosen = thin(rates)
    return DetCurve(
        rates.false_alarm[chosen],
        rates.miss[chosen],
        equal_error_rate(rates),
        (float(rates.false_alarm[best]), float(rates.miss[best])),
    )


def thin(rates: ErrorRates) -> np.ndarray:
    """Choose rows of at most `MAX_POINTS` points, evenly along the curve on probit axes."""
    axes = [np.clip(rate, LOWEST, 1 - LOWEST) for rate in (rates.false_alarm, rates.miss)]
    steps = sum(np.abs(np.diff(norm.ppf(axis))) for axis in axes)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, length[-1], MAX_POINTS)
    return np.unique(np.searchsorted(length, wanted).clip(max=len(length) - 1))


DET_TICKS = (0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
PANEL_SIZE = 560, 382  # width and height in pixels
PANEL_SQUARE = 48, 44, 304  # left, bottom and side of the square in it


class DetPanel(NamedTuple):
    """Curves that are drawn together, and their styles, by label."""

    title: str
    curves: Mapping[str, DetCurve]
    styles: Mapping[str, Style]


@matplotlib.rc_context(PLOT_SETTINGS)  # type: ignore[arg-type]
def det_figure(name: str, panels: Sequence[DetPanel]) -> str:
    """Draw DET curves, panels beside each other, all with the same axes."""
    width, height = PANEL_SIZE[0] * len(panels), PANEL_SIZE[1]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    rates = [curve.eer for panel in panels for curve in panel.curves.values()]
    lowest = 1e-3 if min(rates) > 0.02 else 1e-4
    for i, panel in enumerate(panels):
        left, bottom, side = PANEL_SIZE[0] * i + PANEL_SQUARE[0], PANEL_SQUARE[1], PANEL_SQUARE[2]
        axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
        _draw_panel(axes, panel, lowest)
    return to_svg(figure, name, "Detection error trade-off curves")


def _draw_panel(axes: Axes, panel: DetPanel, lowest: float) -> None:
    _set_probit_axes(axes, lowest)
    axes.set_title(panel.title)
    for label, curve in panel.curves.items():
        text = f"{format_percent(curve.eer)}\u2002{label}"
        _draw_curve(axes, text, curve, panel.styles[label], lowest)
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1), title="EER", alignment="left",
        handlelength=1.7, fontsize=11,
    )  # fmt: skip
    legend.get_title().set_color(MUTED)


def format_percent(share: float) -> str:
    """Return a share in percent, as wide as others are.

    >>> format_percent(0.0123).strip("\u2007")
    '1.23 %'
    """
    return f"{100 * share:5.2f} %".replace(" ", "\u2007", 5 - len(f"{100 * share:.2f}"))


def _set_probit_axes(axes: Axes, lowest: float) -> None:
    ticks = [tick for tick in DET_TICKS if tick >= lowest]
    places, labels = norm.ppf(ticks), [f"{100 * tick:g}" for tick in ticks]
    limits = places[0], places[-1]
    axes.set(xlim=limits, ylim=limits, xlabel="false alarms, %", ylabel="misses, %")
    axes.set_xticks(places, labels)
    axes.set_yticks(places, labels)
    axes.plot(limits, limits, color=PALE, linewidth=1)


def _draw_curve(axes: Axes, label: str, curve: DetCurve, style: Style, lowest: float) -> None:
    edge = lowest / 100  # beyond the plot, so that lines leave it straight
    axes.plot(
        norm.ppf(np.clip(curve.false_alarm, edge, 1 - edge)),
        norm.ppf(np.clip(curve.miss, edge, 1 - edge)),
        style.line, color=style.colour, label=label,
    )  # fmt: skip
    point = norm.ppf(np.clip(curve.min_dcf_point, lowest, DET_TICKS[-1]))
    axes.plot(*point, "o", color=style.colour, markersize=7, markeredgecolor="white", clip_on=False)
