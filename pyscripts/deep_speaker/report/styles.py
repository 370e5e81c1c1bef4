"""How phases look in all figures and tables of a report, and which of them is its last word."""

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple


class Style(NamedTuple):
    """A colour, and a pattern of lines that tells it from others in grey print."""

    colour: str
    line: str


# Okabe and Ito's colours, which the colour-blind tell apart; floors are grey.
STYLES = {
    "statistics": Style("#4d4d4d", "--"),
    "statistics_no_mean": Style("#8c8c8c", ":"),
    "untrained": Style("#b59a6d", "-."),
    "initial_model": Style("#8a5fb0", "-"),
    "pretraining": Style("#0072b2", "-"),
    "finetuning": Style("#d0480c", "-"),
    "pretraining_continued": Style("#009e73", "--"),
}
OTHERS = ("#cc6699", "#a67c00", "#3aa6d8", "#8a5fb0", "#6b8e23", "#b22222")


def phase_styles(names: Iterable[str]) -> dict[str, Style]:
    """A style for each name; the same phase always has the same."""
    spare = cycle(OTHERS)
    return {name: STYLES.get(name) or Style(next(spare), "-") for name in names}


def backend_styles(names: Iterable[str]) -> dict[str, Style]:
    """Styles of the back ends of one phase, the main one first."""
    lines = cycle(("-", "--", "-.", ":"))
    return {
        name: Style(colour, next(lines))
        for name, colour in zip(names, cycle(("#1b1b1b", *OTHERS)), strict=False)
    }
