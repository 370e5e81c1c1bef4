"""A track as a picture: a row for each speaker, time from left to right."""

import warnings
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from deep_speaker.report.drawing import DPI, MUTED, PLOT_SETTINGS, new_figure
from deep_speaker.system.files import replacing_file
from deep_speaker.tracking.styles import speaker_colours
from deep_speaker.tracking.track import Track

WIDTH, ROW_HEIGHT, MARGINS = 1000, 34, 86  # in pixels at natural size
SHARPNESS = 2  # pixels of the file to each of these
LONGEST_NAME = 28


def write_picture(track: Track, path: Path) -> None:
    """Write a PNG."""
    with (
        matplotlib.rc_context(PLOT_SETTINGS),  # type: ignore[arg-type]
        warnings.catch_warnings(),
        replacing_file(path, "wb") as file,
    ):
        # Names may have letters that matplotlib's font lacks: it draws a box.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        draw(track).savefig(file, format="png", dpi=SHARPNESS * DPI)


def draw(track: Track) -> Figure:
    """Draw a track; its segments in the colour of the speaker."""
    rows = max(1, len(track.speakers))
    figure = new_figure(WIDTH, MARGINS + ROW_HEIGHT * rows)
    axes = figure.add_subplot()
    for row, (speaker, colour) in enumerate(speaker_colours(track.speakers).items()):
        spans = [(part.start, part.seconds) for part in track.segments if part.speaker == speaker]
        axes.broken_barh(spans, (row - 0.36, 0.72), facecolors=colour)
    if not track.segments:
        axes.text(0.5, 0.5, "nobody speaks", transform=axes.transAxes, ha="center", color=MUTED)
    axes.set_yticks(
        range(len(track.speakers)), [describe(*item) for item in track.speakers.items()]
    )
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_title(shorten(track.audio.name, 90))
    draw_time(axes, track.seconds)
    return figure


def draw_time(axes: Axes, seconds: float) -> None:
    """Show minutes and seconds below."""
    axes.set_xlim(0, max(seconds, 0.1))
    axes.grid(axis="y", visible=False)
    axes.tick_params(length=0)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))


def describe(speaker: str, seconds: float) -> str:
    """Return the label of a row."""
    return f"{shorten(speaker, LONGEST_NAME)}  {clock(seconds)}"


def shorten(text: str, length: int) -> str:
    """Return a text, cut where it is too long."""
    return text if len(text) <= length else text[: length - 1] + "…"


def clock(seconds: float) -> str:
    """Return minutes and seconds, and hours where there are some.

    >>> clock(65), clock(3600), clock(7.6)
    ('1:05', '1:00:00', '0:08')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
