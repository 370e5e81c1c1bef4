"""Training as history.json tells it, epoch by epoch."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from deep_speaker.config.phases import start_of
from deep_speaker.report.drawing import PLOT_SETTINGS, new_figure, to_svg
from deep_speaker.report.styles import Style
from deep_speaker.system.json_text import read_json
from deep_speaker.training.history import CRITERIA

HELD_OUT_EER = "held_out_eer_percent"
HELD_OUT_DISTANCE = "held_out_distance"
# The figures that are drawn, where there are any, with their titles.
CURVES = {
    "loss": "training loss",
    HELD_OUT_EER: "EER of held-out speakers, %",
    HELD_OUT_DISTANCE: "distance of held-out speakers to the teacher",
    "hard_share": "share of hard negatives",
    "learning_rate": "learning rate",
}
LOG_SCALED = ("loss", HELD_OUT_EER, HELD_OUT_DISTANCE)


class TrainingCurve(NamedTuple):
    """The epochs of a phase.

    Attributes:
        first: its first epoch, from 1, counted from where the weights were random.
        figures: values per epoch, None where an epoch has none, by the names of `CURVES`.
        best: the epoch, from 0, of the lowest held-out error; of equals the last.
        criterion: the name of that error's figure.
    """

    phase: str
    first: int
    figures: dict[str, list[float | None]]
    best: int
    criterion: str = HELD_OUT_EER


def read_training_curves(experiment_dir: Path, phases: Sequence[str]) -> list[TrainingCurve]:
    """Read the curves of the phases that have been trained; each begins where its start ends.

    Warn about broken histories and leave them out.
    """
    curves: dict[str, TrainingCurve] = {}
    for phase in phases:
        if history := _read_history_if_good(experiment_dir / phase / "history.json"):
            before = curves.get(start_of(phase, list(curves)) or "")
            begin = 1 if before is None else before.first + len(before.figures["loss"])
            figures = {
                name: [finite_number(epoch.get(name)) for epoch in history] for name in CURVES
            }
            criterion = next((name for name in CRITERIA if _has_value(figures[name])), HELD_OUT_EER)
            errors = [math.inf if error is None else error for error in figures[criterion]]
            best = max(i for i, error in enumerate(errors) if error == min(errors))
            curves[phase] = TrainingCurve(phase, begin, figures, best, criterion)
    return list(curves.values())


def _read_history_if_good(path: Path) -> list[dict[str, float]]:
    try:
        return read_history(path) if path.is_file() else []
    except ValueError as error:
        logging.warning("%s; the report goes without these curves", error)
        return []


def read_history(path: Path) -> list[dict[str, float]]:
    """Read the figures of each epoch.

    Raises:
        ValueError: the file does not hold a list of them.
    """
    history = read_json(path, "remove it, or train anew")
    if not isinstance(history, list) or not all(isinstance(epoch, dict) for epoch in history):
        raise ValueError(f"{path}: expected a list of epochs: remove it, or train anew")
    return history


def finite_number(value: object) -> float | None:
    """Return a finite number; None in place of anything else, such as a loss that is NaN."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


@matplotlib.rc_context(PLOT_SETTINGS)  # type: ignore[arg-type]
def training_figure(name: str, curves: Sequence[TrainingCurve], styles: Mapping[str, Style]) -> str:
    """Draw a panel per figure that any epoch has, against epochs since the weights were random."""
    shown = [key for key in CURVES if any(_has_value(curve.figures[key]) for curve in curves)]
    rows = -(-len(shown) // 2)
    figure = new_figure(1120, 40 + 230 * rows)
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.12)
    figure.subplots(rows, 2, sharex=True)
    for axes, key in zip(figure.axes, shown, strict=False):
        for curve in curves:
            _draw_epochs(axes, key, curve, styles[curve.phase])
        _set_axes(axes, key)
    for axes in figure.axes[2 * rows - 2 :]:
        axes.set_xlabel("epoch")
    for axes in figure.axes[len(shown) :]:
        axes.set_visible(False)
    _add_legend(figure)
    return to_svg(figure, name, "Training curves")


def _has_value(values: Sequence[float | None]) -> bool:
    return any(value is not None for value in values)


def _draw_epochs(axes: Axes, key: str, curve: TrainingCurve, style: Style) -> None:
    values = curve.figures[key]
    if not _has_value(values):
        return
    numbers = [np.nan if value is None else value for value in values]
    epochs = np.arange(curve.first, curve.first + len(numbers))
    axes.plot(epochs, numbers, style.line, color=style.colour, marker="o", markersize=3.5,
              label=curve.phase)  # fmt: skip
    if key == curve.criterion:
        kept = epochs[curve.best], numbers[curve.best]
        axes.plot(*kept, "o", markersize=9, color=style.colour, fillstyle="none", clip_on=False)


def _set_axes(axes: Axes, key: str) -> None:
    axes.set_title(CURVES[key])
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    highest = axes.dataLim.ymax
    axes.set_ylim(0, 1.06 * highest if highest > 0 else None)
    if key in LOG_SCALED:
        _set_log_scale(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(labelbottom=True)


def _set_log_scale(axes: Axes) -> None:
    """Make an axis logarithmic where all values allow it, with plain numbers on it."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    lowest, highest = np.nanmin(values), np.nanmax(values)
    if lowest > 0:
        axes.set(yscale="log", ylim=(lowest / 1.2, highest * 1.2))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _add_legend(figure: Figure) -> None:
    """Name each phase once above the panels."""
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside upper left", ncols=len(handles)
    )
