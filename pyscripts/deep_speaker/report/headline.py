"""The headline of a page: the error rate of the final phase, and what to measure it by."""

from collections.abc import Sequence
from typing import NamedTuple

from deep_speaker.config.phases import is_floor
from deep_speaker.metrics.registry import main_metric
from deep_speaker.results.cells import format_figure, format_interval
from deep_speaker.results.choice import best_row, main_row, rows_of_all
from deep_speaker.results.lists import list_kind
from deep_speaker.results.rows import ResultRow, interval_of, value_of

HEADLINE_METRIC = main_metric("verification")


class Headline(NamedTuple):
    """An experiment's result on a list, and others to measure it by.

    Attributes:
        main: the final phase by its main back end, both chosen before any trial was scored.
        lowest: the lowest error rate of the trained phases, where that is another.
        floor: the lowest floor by the same back end; where there is none, of all floors.
    """

    trials: str
    main: ResultRow
    lowest: ResultRow | None
    floor: ResultRow | None

    @property
    def interval(self) -> str:
        """The interval of the final phase."""
        return format_interval(
            interval_of(self.main, *HEADLINE_METRIC.keys), HEADLINE_METRIC.digits
        )

    @property
    def is_below_floor(self) -> bool:
        """Tell whether the final phase makes fewer errors than the floor."""
        return self.floor is not None and error_of(self.main) < error_of(self.floor)

    def text(self, row: ResultRow) -> str:
        """Return the error rate of a row."""
        return format_figure(row, HEADLINE_METRIC)


def headline_lists(rows: Sequence[ResultRow]) -> list[str]:
    """Return the lists for verification; where there are none, all."""
    names = list(dict.fromkeys(row["trials"] for row in rows))
    return [name for name in names if list_kind(name) == "verification"] or names


def find_headline(rows: Sequence[ResultRow], name: str, final: str) -> Headline:
    """Find the figure of a list to begin with, and those to measure it by."""
    everything = rows_of_all(rows, name)
    floors = [row for row in everything if is_floor(row["phase"])]
    trained = [row for row in everything if not is_floor(row["phase"])]
    main = main_row(everything, final)
    assert main is not None
    same = [row for row in floors if row["backend"] == main["backend"]]
    lowest, floor = (best_row(some, HEADLINE_METRIC) for some in (trained, same or floors))
    return Headline(
        name,
        main,
        lowest if lowest and error_of(lowest) < error_of(main) else None,
        floor if floor is not main else None,
    )


def error_of(row: ResultRow) -> float:
    """Return the error rate of a row."""
    value = value_of(row, *HEADLINE_METRIC.keys)
    assert value is not None
    return value
