"""Which row stands for a phase: by its main back end, or by that which turned out best."""

from collections.abc import Sequence

from deep_speaker.metrics.metric import Metric
from deep_speaker.results.rows import ResultRow, value_of


def rows_of_all(rows: Sequence[ResultRow], trials: str) -> list[ResultRow]:
    """Return the rows of all trials of a list."""
    return [row for row in rows if (row["trials"], row["subset"]) == (trials, "all")]


def main_row(rows: Sequence[ResultRow], phase: str) -> ResultRow | None:
    """Return the row of a phase by its main back end, which the config names first.

    So it is chosen before any trial is scored.

    Args:
        rows: of one list; those of a phase with the main back end first.
    """
    return next((row for row in rows if row["phase"] == phase), None)


def best_row(rows: Sequence[ResultRow], metric: Metric) -> ResultRow | None:
    """Return the row with the best figure; chosen on the very trials, it flatters."""
    found = [(value, row) for row in rows if (value := value_of(row, *metric.keys)) is not None]
    choose = min if metric.less_is_better else max
    return choose(found, key=lambda pair: pair[0], default=(0, None))[1]
