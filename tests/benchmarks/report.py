"""The report of a benchmark: a table to read, and all of it as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from tabulate import tabulate

from benchmarks.comparison import OURS, Comparison
from benchmarks.machine import LOADED

HEADINGS = ("stage", "work", "speed", "beside", "its speed", "ratio", "wanted", "")


def table(comparisons: Sequence[Comparison]) -> str:
    """Return a row for each side that this recipe is beside."""
    rows = [row for comparison in comparisons for row in _rows(comparison)]
    return tabulate(rows, HEADINGS, tablefmt="github", disable_numparse=True)


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    others = [name for name in comparison.sides if name != OURS]
    ours = _speed(comparison, OURS)
    return [
        (
            comparison.stage,
            comparison.work,
            ours,
            name,
            _speed(comparison, name),
            f"{comparison.ratio(name):.2f}",
            _wanted(comparison.sides[name].wanted),
            "slower" if name in comparison.missed() else "",
        )
        for name in others
    ]


def _speed(comparison: Comparison, name: str) -> str:
    side = comparison.sides[name]
    digits = 0 if side.speed >= 100 else 2
    return f"{side.speed:,.{digits}f} {comparison.unit} ±{100 * side.spread:.0f} %"


def _wanted(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:g}"


def notes(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what the reader should know before he believes the table."""
    lines = [
        f"{each.stage}, {each.work}: other processes took {100 * each.load:.0f} % of the cores: "
        "doubt it, and measure again when the machine is idle"
        for each in comparisons
        if each.load > LOADED
    ]
    missed = [(each, name) for each in comparisons for name in each.missed()]
    lines += [
        f"{each.stage}, {each.work}: {each.ratio(name):.2f} of the speed of {name}, "
        f"{each.sides[name].wanted:g} was wanted"
        for each, name in missed
    ]
    return lines


def as_json(machine: dict[str, str], commit: str, comparisons: Sequence[Comparison]) -> dict:
    """Return all that was measured: seconds of every round, too."""
    return {
        "machine": machine,
        "commit": commit,
        "comparisons": [
            asdict(each)
            | {"ratios": {name: each.ratio(name) for name in each.sides if name != OURS}}
            for each in comparisons
        ],
    }
