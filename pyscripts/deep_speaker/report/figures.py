"""The plots of a report, as SVG elements for an HTML page; the only module that draws.

The same data give the same text. One unit of a plot is one CSS pixel at its natural width.
"""

import io
import re
import warnings
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from scipy.stats import norm

from deep_speaker.report.det_curves import DetCurve
from deep_speaker.report.embedding_map import EmbeddingMap
from deep_speaker.report.label_places import free_box
from deep_speaker.report.phase_styles import Style
from deep_speaker.report.score_histograms import ScoreHistogram
from deep_speaker.report.training_curves import CURVES, TrainingCurve

INK, MUTED, GRID, PALE = "#222222", "#5f6368", "#e4e6e9", "#c3c8ce"
DPI = 72  # points of an SVG, taken as pixels
STYLE = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "deep_speaker",
    "text.parse_math": False,  # ids may hold dollars
    "font.size": 12,
    "axes.edgecolor": PALE,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "text.color": INK,
}  # fmt: skip
DET_TICKS = (0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
DET_PANEL = 560, 382  # width and height in pixels
DET_PLACE = 48, 44, 304  # left, bottom and side of the square in it
MARKERS = {"f": ("o", "female"), "m": ("^", "male"), "": ("s", "sex not known")}
ONE_MARKER = {"": ("o", "")}
LOG_SCALED = ("loss", "held_out_eer_percent")
Threshold = tuple[str, float]


def new_figure(width: float, height: float) -> Figure:
    """An empty plot of so many pixels."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The plot as an SVG element whose ids start with `name`, and thus differ from others'."""
    name = re.sub(r"[^\w-]", lambda match: f"_{ord(match[0]):x}_", name, flags=re.ASCII)
    text = io.StringIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():  # the page's fonts have what matplotlib's lacks
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    _, _, svg = text.getvalue().partition("<svg ")
    svg = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
    svg = re.sub(r'(width|height)="[\d.]+pt" ?', "", svg, count=2)
    return f'<svg role="img" aria-label="{description}" style="max-width: {width:g}px" {svg}'


@matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
def det_figure(
    name: str, panels: Mapping[str, tuple[Mapping[str, DetCurve], Mapping[str, Style]]]
) -> str:
    """DET curves; a panel per title, each with curves and their styles by label."""
    width, height = DET_PANEL[0] * len(panels), DET_PANEL[1]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    curves = [curve for shown, _ in panels.values() for curve in shown.values()]
    lowest = 1e-3 if min(curve.eer for curve in curves) > 0.02 else 1e-4
    for i, (title, (shown, styles)) in enumerate(panels.items()):
        left, bottom, side = DET_PANEL[0] * i + DET_PLACE[0], DET_PLACE[1], DET_PLACE[2]
        axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
        _set_probit_axes(axes, lowest)
        axes.set_title(title)
        for label, curve in shown.items():
            _draw_det(axes, f"{percent(curve.eer)}\u2002{label}", curve, styles[label], lowest)
        legend = axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.01, 1),
            title="EER",
            alignment="left",
            handlelength=1.7,
            fontsize=11,
        )
        legend.get_title().set_color(MUTED)
    return to_svg(figure, name, "Detection error trade-off curves")


def percent(share: float) -> str:
    """
    >>> percent(0.0123).strip("\u2007")
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


def _draw_det(axes: Axes, label: str, curve: DetCurve, style: Style, lowest: float) -> None:
    edge = lowest / 100  # beyond the plot, so that lines leave it straight
    axes.plot(
        norm.ppf(np.clip(curve.false_alarm, edge, 1 - edge)),
        norm.ppf(np.clip(curve.miss, edge, 1 - edge)),
        style.line, color=style.colour, label=label,
    )  # fmt: skip
    point = norm.ppf(np.clip(curve.min_dcf_point, lowest, DET_TICKS[-1]))
    axes.plot(*point, "o", color=style.colour, markersize=7, markeredgecolor="white", clip_on=False)


@matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
def histogram_figure(
    name: str,
    histograms: Mapping[str, ScoreHistogram],
    main: str,
    axis: str,
    thresholds: Sequence[Threshold],
    styles: Mapping[str, Style],
) -> str:
    """Scores of one phase large, with labelled thresholds, and of the others small beside it.

    Args:
        histograms: by phase.
        axis: what scores are.
    """
    others = [phase for phase in histograms if phase != main]
    rows = -(-len(others) // 2)
    figure = new_figure(1120, max(330, 130 * rows))
    grid = figure.add_gridspec(max(rows, 1), 4 if others else 2)
    axes = figure.add_subplot(grid[:, :2])
    draw_histogram(axes, histograms[main], styles[main])
    axes.set(title=main, xlabel=axis, ylabel="density")
    for i, (label, value) in enumerate(sorted(thresholds, key=lambda each: each[1])):
        axes.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        side = "left" if i else "right"  # two lie close together: labels on their outer sides
        axes.annotate(label, (value, 1), xycoords=("data", "axes fraction"), ha=side, va="bottom",
                      xytext=(0, 3), textcoords="offset points", fontsize=11)  # fmt: skip
    axes.legend(loc="upper left")
    for i, phase in enumerate(others):
        small = figure.add_subplot(grid[i // 2, 2 + i % 2])
        draw_histogram(small, histograms[phase], styles[phase])
        small.set_title(phase, fontsize=12, pad=4)
        small.set_yticks([])
        small.tick_params(labelsize=11)
        small.xaxis.set_major_locator(MaxNLocator(5))
    return to_svg(figure, name, "Histograms of target and nontarget scores")


def draw_histogram(axes: Axes, histogram: ScoreHistogram, style: Style) -> None:
    """Nontargets grey, targets in the colour of the phase."""
    edges = histogram.edges
    axes.stairs(histogram.nontarget, edges, fill=True, color=PALE, label="nontarget")
    axes.stairs(histogram.target, edges, fill=True, color=style.colour, alpha=0.25)
    axes.stairs(histogram.target, edges, color=style.colour, linewidth=1.5, label="target")
    axes.set_ylim(bottom=0)
    axes.grid(axis="x", visible=False)


@matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
def training_figure(name: str, curves: Sequence[TrainingCurve], styles: Mapping[str, Style]) -> str:
    """A panel per figure that any epoch has, against epochs since the weights were random."""
    shown = [key for key in CURVES if any(any_value(curve.figures[key]) for curve in curves)]
    rows = -(-len(shown) // 2)
    figure = new_figure(1120, 40 + 230 * rows)
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.12)
    figure.subplots(rows, 2, sharex=True)
    for axes, key in zip(figure.axes, shown, strict=False):
        for curve in curves:
            draw_training(axes, key, curve, styles[curve.phase])
        axes.set_title(CURVES[key])
        axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        highest = axes.dataLim.ymax
        axes.set_ylim(0, 1.06 * highest if highest > 0 else None)
        if key in LOG_SCALED:
            set_log_scale(axes)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(labelbottom=True)
    for axes in figure.axes[2 * rows - 2 :]:
        axes.set_xlabel("epoch")
    for axes in figure.axes[len(shown) :]:
        axes.set_visible(False)
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside upper left", ncols=len(handles)
    )
    return to_svg(figure, name, "Training curves")


def any_value(values: Sequence[float | None]) -> bool:
    return any(value is not None for value in values)


def draw_training(axes: Axes, key: str, curve: TrainingCurve, style: Style) -> None:
    values = curve.figures[key]
    if not any_value(values):
        return
    numbers = [np.nan if value is None else value for value in values]
    epochs = np.arange(curve.first, curve.first + len(numbers))
    axes.plot(epochs, numbers, style.line, color=style.colour, marker="o", markersize=3.5,
              label=curve.phase)  # fmt: skip
    if key == "held_out_eer_percent":
        kept = epochs[curve.best], numbers[curve.best]
        axes.plot(*kept, "o", markersize=9, color=style.colour, fillstyle="none", clip_on=False)


def set_log_scale(axes: Axes) -> None:
    """Logarithmic where all values allow it, with plain numbers on it."""
    values = np.concatenate([line.get_ydata() for line in axes.lines])
    lowest, highest = np.nanmin(values), np.nanmax(values)
    if lowest > 0:
        axes.set(yscale="log", ylim=(lowest / 1.2, highest * 1.2))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())


@matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
def embedding_figure(name: str, embeddings: EmbeddingMap) -> str:
    """Points coloured by speaker, with markers by sex where it is known."""
    figure = Figure(figsize=(1120 / DPI, 720 / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0.03, 1, 0.94))
    speakers = list(dict.fromkeys(embeddings.speakers))
    colours = dict(zip(speakers, speaker_colours(len(speakers)), strict=True))
    of_points = np.array([colours[speaker] for speaker in embeddings.speakers])
    sexes = np.array(embeddings.sexes)
    for sex, (marker, label) in (MARKERS if any(embeddings.sexes) else ONE_MARKER).items():
        chosen = sexes == sex
        if chosen.any():
            axes.scatter(
                embeddings.points[chosen, 0], embeddings.points[chosen, 1],
                s=30, c=of_points[chosen], marker=marker, linewidths=0, alpha=0.8,
            )  # fmt: skip
            axes.scatter([], [], s=36, color=MUTED, marker=marker, label=label)
    if len(set(embeddings.sexes)) > 1:
        axes.legend(loc="upper left")
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.apply_aspect()  # now places are final
    axes.spines[:].set_visible(False)
    label_speakers(axes, embeddings, colours)
    return to_svg(figure, name, "Test embeddings in two dimensions")


def speaker_colours(count: int) -> np.ndarray:
    """Colours around the wheel, neighbours far apart and of three values in turn: (count, 3)."""
    rows = np.arange(count)
    hues = (rows * 0.61803398875) % 1  # the golden ratio
    values = np.array([0.85, 0.55, 0.7])[rows % 3]
    return hsv_to_rgb(np.stack([hues, np.full(count, 0.75), values], axis=1))


def label_speakers(axes: Axes, embeddings: EmbeddingMap, colours: Mapping[str, np.ndarray]) -> None:
    """Each speaker's id beside his points, its end where it is long, where there is place."""
    names = np.array(embeddings.speakers)
    pixels = axes.transData.transform(embeddings.points)
    taken: list[np.ndarray] = []  # boxes: left, bottom, right, top
    for speaker, colour in colours.items():
        label = speaker if len(speaker) <= 10 else f"…{speaker[-9:]}"
        own = pixels[names == speaker]
        middle = np.median(own, axis=0)
        own = own[np.abs(own - middle).max(axis=1) < 60]  # strays shall not carry the label off
        if not len(own):
            own = middle[None]
        size = np.array([6.4 * len(label), 13.0])
        box = free_box(own.min(axis=0), own.max(axis=0), size, taken, pixels)
        taken.append(box)
        place = axes.transData.inverted().transform((box[:2] + box[2:]) / 2)
        axes.text(
            place[0], place[1], label, color=0.6 * colour, fontsize=11, ha="center", va="center"
        )
