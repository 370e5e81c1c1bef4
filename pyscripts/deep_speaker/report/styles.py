"""Colours and lines of phases and back ends, the same in all plots of a report."""

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple

from deep_speaker.config.phases import PHASES


class Style(NamedTuple):
    """A colour, and a pattern of lines that tells it from others in grey print."""

    colour: str
    line: str


# Of systems that are no phases of this recipe, and of back ends.
OTHERS = ("#cc6699", "#a67c00", "#3aa6d8", "#8a5fb0", "#6b8e23", "#b22222")


def phase_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return a style for each name; the same phase always has the same."""
    spare = cycle(OTHERS)
    return {name: _style(name) or Style(next(spare), "-") for name in names}


def _style(phase: str) -> Style | None:
    known = PHASES.get(phase)
    return Style(known.colour, known.line) if known else None


def backend_styles(names: Iterable[str]) -> dict[str, Style]:
    """Return styles for the back ends of one phase, the main one first."""
    lines = cycle(("-", "--", "-.", ":"))
    return {
        name: Style(colour, next(lines))
        for name, colour in zip(names, cycle(("#1b1b1b", *OTHERS)), strict=False)
    }
