"""Tables of results as the page shows them: cells of text, the best marked."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from deep_speaker.config.phases import is_floor
from deep_speaker.results.rows import (
    COSTS,
    RANK,
    Row,
    TableLine,
    format_interval,
    format_number,
    interval_of,
    value_of,
)
from deep_speaker.trials.lists import is_identification


class Column(NamedTuple):
    """A figure of the rows: its title, its place in them, its decimals, whether less is better."""

    title: str
    path: tuple[str, ...]
    digits: int
    less_is_better: bool = True


class Cell(NamedTuple):
    """A figure as text, its interval as text, and whether it is the best of all trained phases."""

    text: str
    interval: str
    best: bool


class Strip(NamedTuple):
    """A figure and its interval as places on a line from 0 to 100."""

    low: float
    value: float
    high: float


class HtmlLine(NamedTuple):
    phase: str
    backend: str
    floor: bool
    cells: list[Cell]
    strip: Strip | None


class HtmlTable(NamedTuple):
    """A table; `counts` tells the trials behind it."""

    columns: list[Column]
    lines: list[HtmlLine]
    counts: str
    strip_title: str


EER = Column("EER %", ("eer_percent",), 2)
ACCURACY = Column("ACC %", ("identification_accuracy_percent",), 2, less_is_better=False)
VERIFICATION = [
    EER,
    *(Column(f"minDCF({p})", ("min_dcf", p), 3) for p in COSTS),
    Column(f"actDCF({COSTS[0]})", ("act_dcf", COSTS[0]), 3),
    Column("Cllr", ("cllr",), 3),
]
IDENTIFICATION = [
    ACCURACY._replace(title="rank-1 %"),
    Column(f"rank-{RANK} %", (f"rank{RANK}_accuracy_percent",), 2, less_is_better=False),
]


def html_table(name: str, lines: Sequence[TableLine], subset: str) -> HtmlTable | None:
    """The table of a list and subset; floors first. None where no line has such rows.

    Columns without any figure are left out.
    """
    shown = [line for line in sorted_lines(lines) if any(pick_rows(line, subset))]
    if not shown:
        return None
    own, partners = zip(*(pick_rows(line, subset) for line in shown), strict=True)
    if is_identification(name):
        columns = [(column, own) for column in IDENTIFICATION]
    else:
        columns = [*((column, own) for column in VERIFICATION), (ACCURACY, partners)]
    columns = [(column, rows) for column, rows in columns if has_figure(column, rows)]
    floors = [is_floor(line.phase) for line in shown]
    cells = zip(*(make_cells(column, rows, floors) for column, rows in columns), strict=True)
    strips = make_strips(*columns[0])
    return HtmlTable(
        [column for column, _ in columns],
        [
            HtmlLine(line.phase, line.backend, floor, list(own_cells), strip)
            for line, floor, own_cells, strip in zip(shown, floors, cells, strips, strict=True)
        ],
        describe_counts([row or partner for row, partner in zip(own, partners, strict=True)]),
        "95 % interval" if any(strips) else "",
    )


def has_figure(column: Column, rows: Sequence[Row]) -> bool:
    return any(value_of(row, *column.path) is not None for row in rows)


def pick_rows(line: TableLine, subset: str) -> tuple[Row, Row]:
    """The row of a subset and, of all trials, that of the partner of the 1 + 99 protocol."""
    return (line.everything, line.one_plus_99) if subset == "all" else (line.same_sex, {})


def sorted_lines(lines: Sequence[TableLine]) -> list[TableLine]:
    return sorted(lines, key=lambda line: not is_floor(line.phase))


def make_cells(column: Column, rows: Sequence[Row], floors: Sequence[bool]) -> list[Cell]:
    values = [value_of(row, *column.path) for row in rows]
    trained = [v for v, floor in zip(values, floors, strict=True) if v is not None and not floor]
    best = (min if column.less_is_better else max)(trained, default=None)
    shown = column in (EER, *IDENTIFICATION, ACCURACY)
    return [
        Cell(
            format_number(value, column.digits),
            format_interval(interval_of(row, *column.path), column.digits) if shown else "",
            value is not None and value == best and not floor,
        )
        for value, row, floor in zip(values, rows, floors, strict=True)
    ]


def make_strips(column: Column, rows: Sequence[Row]) -> list[Strip | None]:
    """EERs and their intervals on one logarithmic scale; of other figures none."""
    found = [(interval_of(row, *column.path), value_of(row, *column.path)) for row in rows]
    triples = [
        (interval[0], value, interval[1]) if column == EER and interval and value is not None
        else None
        for interval, value in found
    ]  # fmt: skip
    positive = [number for triple in triples if triple for number in triple if number > 0]
    if not positive or min(positive) == max(positive):
        return [None] * len(rows)

    def place(number: float) -> float:
        lowest = min(positive)
        share = math.log(max(number, lowest) / lowest) / math.log(max(positive) / lowest)
        return round(100 * share, 2)

    return [triple and Strip(*map(place, triple)) for triple in triples]


def describe_counts(rows: Sequence[Row]) -> str:
    """
    >>> describe_counts([{"num_target": 760, "num_nontarget": 3800}])
    '4,560 trials: 760 target, 3,800 nontarget'
    """
    counts = dict.fromkeys((row["num_target"], row["num_nontarget"]) for row in rows)
    return "; ".join(
        f"{targets + nontargets:,} trials: {targets:,} target, {nontargets:,} nontarget"
        for targets, nontargets in counts
    )
