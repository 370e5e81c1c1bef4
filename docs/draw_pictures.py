#!/usr/bin/env python3
"""Draw the pictures of README.md: docs/pipeline.svg, and docs/report.png of a finished run.

    docs/draw_pictures.py
    docs/draw_pictures.py --report exp/embedded/embedded/report.html --browser chromium

The pipeline follows one utterance through the stages. The report is a picture of the top of
report.html, taken by a browser of the Chromium family that needs no screen.
"""

import argparse
import subprocess
import tempfile
from html import escape
from pathlib import Path

from PIL import Image
from pipeline_stages import GROUPS, Chips, Group, Stage

DOCS = Path(__file__).resolve().parent

# Where things stand, in pixels.
WIDTH = 900
LEFT, LEFT_WIDTH = 30, 360  # of what a stage does
RIGHT, RIGHT_WIDTH = 434, 436  # of what it writes
HEIGHT, GAP, MARGIN = 70, 20, 14
TITLE, PADDING = 28, 12  # of a group of stages
# The page as a browser of this size shows it, scaled down to the width above.
REPORT_WIDTH, REPORT_HEIGHT = 1125, 1420
CHARACTER = 6.7  # of monospaced text at 11 pixels, with some room to spare

# Colours: one for each kind of table, so that reader and writer are found at a glance.
INK, GREY, LINE = "#1b1b1b", "#5c6470", "#9aa3af"
COLOURS = {
    "audio": "#6b7280",
    "data": "#0072b2",
    "trials": "#8a5fb0",
    "features": "#00796b",
    "network": "#b8400a",
    "vectors": "#a1640a",
    "scores": "#b03a74",
    "results": "#1b1b1b",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--report", type=Path, help="report.html of a finished run")
    parser.add_argument("--browser", default="chromium", help="(default: %(default)s)")
    options = parser.parse_args()
    (DOCS / "pipeline.svg").write_text(draw_pipeline(), encoding="utf-8")
    if options.report:
        picture = photograph(options.report, options.browser)
        picture.save(DOCS / "report.png", optimize=True)


def draw_pipeline() -> str:
    """Return the SVG of all stages, one below the other."""
    parts = draw_card(MARGIN, 34, (("my_speakers/anna/monday/3.flac", "audio"),))
    parts.append(draw_text(RIGHT + 230, MARGIN + 21, "one of your recordings", 12, colour=GREY))
    bottom = MARGIN + 34  # of the last card
    number = 0
    for group in GROUPS:
        top = bottom + GAP
        height = TITLE + len(group.stages) * (HEIGHT + GAP) - GAP + PADDING
        parts += draw_panel(top, height, group)
        for row, stage in enumerate(group.stages):
            place = top + TITLE + row * (HEIGHT + GAP)
            parts += draw_elbow(bottom, place)
            parts += draw_stage(place, number, stage)
            bottom, number = place + HEIGHT, number + 1
        bottom = top + height
    return svg(bottom + MARGIN, parts)


def svg(height: int, parts: list[str]) -> str:
    """Return a document with a background of its own, for light and dark pages."""
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    label = "One utterance on its way through stages 0 to 6"
    marker = (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto" markerUnits="userSpaceOnUse">'
        f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker>'
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">',
        f"<title>{label}</title>",
        f"<defs>{marker}</defs>",
        draw_box(0, 0, WIDTH, height, "#ffffff", "none", 10),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def draw_panel(top: int, height: int, group: Group) -> list[str]:
    """Draw the background of a group of stages, with its title and folder."""
    return [
        draw_box(MARGIN, top, WIDTH - 2 * MARGIN, height, "#f4f6f8", "#e1e5ea", 8),
        draw_text(LEFT, top + 20, group.title, 14, weight="bold"),
        draw_text(RIGHT + RIGHT_WIDTH, top + 20, group.folder, 12, "monospace", GREY, anchor="end"),
    ]


def draw_stage(top: int, number: int, stage: Stage) -> list[str]:
    """Draw what a stage does and reads, what it writes, and the arrow between."""
    middle = top + HEIGHT // 2
    return [
        draw_box(LEFT, top, LEFT_WIDTH, HEIGHT, "#ffffff", LINE, 6),
        f'<circle cx="{LEFT + 21}" cy="{top + 21}" r="12" fill="{INK}"/>',
        draw_text(
            LEFT + 21, top + 25.5, str(number), 13, colour="#ffffff", weight="bold", anchor="middle"
        ),
        draw_text(LEFT + 42, top + 19, stage.title, 14, weight="bold"),
        draw_text(LEFT + 42, top + 35, stage.command, 11, "monospace", GREY),
        draw_text(LEFT + 10, top + 58, "reads", 11, colour=GREY),
        *draw_chips(LEFT + 42, top + 44, stage.reads),
        draw_arrow(f"M{LEFT + LEFT_WIDTH} {middle}H{RIGHT - 1}"),
        *draw_card(top, HEIGHT, stage.writes, stage.says, stage.shows),
    ]


def draw_card(
    top: int, height: int, tables: Chips, says: tuple[str, ...] = (), shows: tuple[str, ...] = ()
) -> list[str]:
    """Draw tables, with words about them and lines of them."""
    styles = [(12, "sans-serif")] * len(says) + [(11, "monospace")] * len(shows)
    lines = [
        draw_text(RIGHT + 10, top + 42 + 16 * i, line, size, family, GREY)
        for i, (line, (size, family)) in enumerate(zip([*says, *shows], styles, strict=True))
    ]
    return [
        draw_box(RIGHT, top, RIGHT_WIDTH, height, "#ffffff", LINE, 6),
        *draw_chips(RIGHT + 8, top + 7, tables),
        *lines,
    ]


def draw_chips(left: float, top: float, tables: Chips) -> list[str]:
    """Draw the names of tables side by side, each in the colour of its kind."""
    parts = []
    for name, kind in tables:
        width = round(len(name) * CHARACTER + 12)
        colour = COLOURS[kind]
        parts.append(
            f'<rect x="{left}" y="{top}" width="{width}" height="20" rx="4" fill="{colour}" '
            f'fill-opacity="0.09" stroke="{colour}" stroke-opacity="0.55"/>'
        )
        parts.append(
            draw_text(left + width / 2, top + 14, name, 11, "monospace", colour, anchor="middle")
        )
        left += width + 6
    return parts


def draw_elbow(start: float, end: float) -> list[str]:
    """Draw the way from a card to the stage below."""
    turn = end - GAP / 2
    return [draw_arrow(f"M{RIGHT + 30} {start}V{turn}H{LEFT + LEFT_WIDTH - 30}V{end - 1}")]


def draw_arrow(path: str) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def draw_box(
    left: float, top: float, width: float, height: float, fill: str, stroke: str, radius: int
) -> str:
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="{radius}" '
        f'fill="{fill}" stroke="{stroke}"/>'
    )


def draw_text(
    left: float,
    base: float,
    text: str,
    size: int,
    family: str = "sans-serif",
    colour: str = INK,
    weight: str = "normal",
    anchor: str = "start",
) -> str:
    """Draw text on its base line; `anchor` says which part of it `left` is."""
    return (
        f'<text x="{left}" y="{base}" font-family="{family}" font-size="{size}" '
        f'font-weight="{weight}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
    )


def photograph(report: Path, browser: str) -> Image.Image:
    """Return the top of a page as a picture of few colours, so that the file is small."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            f"--screenshot={shot}",
            f"--window-size={REPORT_WIDTH},{REPORT_HEIGHT}",
            f"--force-device-scale-factor={WIDTH / REPORT_WIDTH}",
            report.resolve().as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(shot) as picture:
            # Maximum coverage keeps the few coloured marks, which a median cut would turn grey.
            return picture.convert("RGB").quantize(
                96, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
            )


if __name__ == "__main__":
    main()
