"""Plots as SVG elements of an HTML page: their looks, and how they become text.

The same data give the same text. One unit of a plot is one CSS pixel at its natural width.
"""

import io
import re
import warnings

from matplotlib.figure import Figure

INK, MUTED, GRID, PALE = "#222222", "#5f6368", "#e4e6e9", "#c3c8ce"
DPI = 72  # points of an SVG, taken as pixels
PLOT_SETTINGS = {
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


def new_figure(width: float, height: float) -> Figure:
    """Return an empty plot of so many pixels."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Return a plot as an SVG element whose ids start with `name`, unlike those of others.

    Args:
        description: for those who cannot see it.
    """
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
