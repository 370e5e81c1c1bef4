"""Tables of results as the page shows them: cells of text, the best marked."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from deep_speaker.config.phases import is_floor
from deep_speaker.metrics.metric import Metric
from deep_speaker.metrics.registry import shown_metrics
from deep_speaker.results.cells import format_figure, format_interval
from deep_speaker.results.lists import TableLine, list_kind
from deep_speaker.results.rows import ResultRow, interval_of, value_of


class Column(NamedTuple):
    """A metric, and the rows whose figures stand below it."""

    metric: Metric
    rows: Sequence[ResultRow]

    @property
    def values(self) -> list[float | None]:
        """The figures."""
        return [value_of(row, *self.metric.keys) for row in self.rows]

    @property
    def intervals(self) -> list[tuple[float, float] | None]:
        """The intervals of the figures."""
        return [interval_of(row, *self.metric.keys) for row in self.rows]


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
    """The line of a phase and back end."""

    phase: str
    backend: str
    floor: bool
    cells: list[Cell]
    strip: Strip | None


class HtmlTable(NamedTuple):
    """A table; `counts` tells the trials behind it."""

    columns: list[Metric]
    lines: list[HtmlLine]
    counts: str
    strip_title: str


def html_table(name: str, lines: Sequence[TableLine], subset: str) -> HtmlTable | None:
    """Make the table of a list and subset, floors first; None where no line has such rows.

    Columns without any figure are left out.
    """
    shown = [line for line in floors_first(lines) if any(pick_rows(line, subset))]
    if not shown:
        return None
    columns = find_columns(name, shown, subset)
    floors = [is_floor(line.phase) for line in shown]
    cells = zip(*(make_cells(column, floors) for column in columns), strict=True)
    strips = make_strips(columns[0])
    return HtmlTable(
        [column.metric for column in columns],
        [
            HtmlLine(line.phase, line.backend, floor, list(own_cells), strip)
            for line, floor, own_cells, strip in zip(shown, floors, cells, strips, strict=True)
        ],
        count_trials([own or partner for own, partner in (pick_rows(x, subset) for x in shown)]),
        "95 % interval" if any(strips) else "",
    )


def floors_first(lines: Sequence[TableLine]) -> list[TableLine]:
    """Sort lines, floors before trained phases."""
    return sorted(lines, key=lambda line: not is_floor(line.phase))


def pick_rows(line: TableLine, subset: str) -> tuple[ResultRow, ResultRow]:
    """Return the row of a subset and, of all trials, that of the partner of 1 + 99."""
    return (line.everything, line.one_plus_99) if subset == "all" else (line.same_sex, {})


def find_columns(name: str, lines: Sequence[TableLine], subset: str) -> list[Column]:
    """Return the columns of a list's table that have any figure."""
    own, partners = zip(*(pick_rows(line, subset) for line in lines), strict=True)
    columns = [Column(metric, own) for metric in shown_metrics(list_kind(name))]
    if list_kind(name) == "verification":
        columns += [Column(metric, partners) for metric in shown_metrics("one_plus_99")]
    return [column for column in columns if any(value is not None for value in column.values)]


def make_cells(column: Column, floors: Sequence[bool]) -> list[Cell]:
    """Return the figures of a column as text; the best is marked."""
    metric, values = column.metric, column.values
    trained = [v for v, floor in zip(values, floors, strict=True) if v is not None and not floor]
    best = (min if metric.less_is_better else max)(trained, default=None)
    return [
        Cell(
            format_figure(row, metric),
            format_interval(interval, metric.digits) if metric.interval == "shown" else "",
            value is not None and value == best and not floor,
        )
        for row, value, interval, floor in zip(
            column.rows, values, column.intervals, floors, strict=True
        )
    ]


def make_strips(column: Column) -> list[Strip | None]:
    """Place errors and their intervals on one logarithmic scale; no other figures."""
    triples = [
        (interval[0], value, interval[1]) if interval and value is not None else None
        for interval, value in zip(column.intervals, column.values, strict=True)
    ]
    positive = [number for triple in triples if triple for number in triple if number > 0]
    is_error = column.metric.less_is_better and column.metric.interval == "shown"
    if not is_error or not positive or min(positive) == max(positive):
        return [None] * len(triples)

    def place(number: float) -> float:
        lowest = min(positive)
        share = math.log(max(number, lowest) / lowest) / math.log(max(positive) / lowest)
        return round(100 * share, 2)

    return [triple and Strip(*map(place, triple)) for triple in triples]


def count_trials(rows: Sequence[ResultRow]) -> str:
    """Return the numbers of trials of rows in words.

    >>> count_trials([{"num_target": 760, "num_nontarget": 3800}])
    '4,560 trials: 760 target, 3,800 nontarget'
    """
    counts = dict.fromkeys((row["num_target"], row["num_nontarget"]) for row in rows)
    return "; ".join(
        f"{targets + nontargets:,} trials: {targets:,} target, {nontargets:,} nontarget"
        for targets, nontargets in counts
    )
