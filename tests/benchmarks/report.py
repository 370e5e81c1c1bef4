"""The report of a benchmark: a table to read, and all of it as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tabulate import tabulate

from benchmarks.comparison import OURS, Comparison
from benchmarks.machine import LOADED

HEADINGS = ("stage", "work", "unit", "this recipe", "beside", "its speed", "ratio", "wanted")


def table(comparisons: Sequence[Comparison]) -> str:
    """Return a row for each side that this recipe is beside, and for each goal and limit."""
    rows = [row for comparison in comparisons for row in _rows(comparison)]
    return tabulate(rows, HEADINGS, tablefmt="github", disable_numparse=True)


def _rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    about = comparison.stage, comparison.work, comparison.unit
    ours = _speed(comparison, OURS) if OURS in comparison.sides else ""
    if comparison.goal is not None:
        yield *about, ours, "", "", "", f"{comparison.goal:,.0f}"
    for name, side in comparison.sides.items():
        if name != OURS:
            ratio = f"{comparison.ratio(name):.2f}" if ours else ""
            wanted = "" if side.wanted is None else f"{side.wanted:g}"
            yield *about, ours, name, _speed(comparison, name), ratio, wanted


def _speed(comparison: Comparison, name: str) -> str:
    side = comparison.sides[name]
    digits = 0 if side.speed >= 100 else 2
    return f"{side.speed:,.{digits}f} ±{100 * side.spread:.0f} %"


def notes(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what the reader should know before he believes the table, and what falls short."""
    busy = [
        f"{each.stage}, {each.work}: other processes took {100 * each.load:.0f} % of the cores: "
        "doubt it, and measure again when the machine is idle"
        for each in comparisons
        if each.load > LOADED
    ]
    missed = [
        f"{each.stage}, {each.work}: {what}" for each in comparisons for what in each.missed()
    ]
    return busy + missed


def as_json(machine: dict[str, str], commit: str, comparisons: Sequence[Comparison]) -> dict:
    """Return all that was measured: seconds of every round, too."""
    return {
        "machine": machine,
        "commit": commit,
        "comparisons": [
            asdict(each)
            | {"ratios": {n: each.ratio(n) for n in each.sides if OURS in each.sides and n != OURS}}
            for each in comparisons
        ],
    }
