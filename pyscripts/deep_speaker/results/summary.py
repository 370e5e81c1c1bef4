"""A summary of the results of several trial lists: a line per phase, a column per list."""

from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from deep_speaker.metrics.metric import Metric
from deep_speaker.metrics.registry import main_metric, shown_metrics
from deep_speaker.results.cells import NOTHING, format_figure
from deep_speaker.results.choice import best_row, main_row, rows_of_all
from deep_speaker.results.lists import list_kind, list_names
from deep_speaker.results.rows import ResultRow, value_of
from deep_speaker.results.stale import name_backend

NUM_METRICS = 2  # of those that the tables of a list show
MAIN = "by the main back end, which the config names first; mean: over the lists"
BEST = "by whichever back end is best, which flatters: it was chosen on these very trials"


def format_summary(rows: Sequence[ResultRow]) -> str:
    """Return tables of the lists for verification, then of those for identification."""
    tables = []
    for kind in ("verification", "identification"):
        names = [name for name in list_names(rows) if list_kind(name) == kind]
        # The partner of a list may be there without it.
        lists = {name: found for name in names if (found := rows_of_all(rows, name))}
        if lists:
            for metric in shown_metrics(kind)[:NUM_METRICS]:
                tables += [f"{metric.title} {MAIN}", _main_table(lists, metric), ""]
            best = main_metric(kind)
            tables += [f"{best.title} {BEST}", _best_table(lists, best), ""]
    return "\n".join(tables[:-1])


def _main_table(lists: dict[str, list[ResultRow]], metric: Metric) -> str:
    lines = []
    for phase in _phases(lists):
        chosen = [main_row(rows, phase) for rows in lists.values()]
        names = dict.fromkeys(name_backend(row) for row in chosen if row)
        cells = [format_figure(row, metric) if row else NOTHING for row in chosen]
        lines.append([phase, ", ".join(names), *cells, _mean(chosen, metric)])
    return _format(["phase", "back end", *lists, "mean"], lines, num_names=2)


def _best_table(lists: dict[str, list[ResultRow]], metric: Metric) -> str:
    lines = []
    for phase in _phases(lists):
        found = [[row for row in rows if row["phase"] == phase] for rows in lists.values()]
        chosen = [best_row(rows, metric) for rows in found]
        cells = [
            f"{name_backend(row)} {format_figure(row, metric)}" if row else NOTHING
            for row in chosen
        ]
        lines.append([phase, *cells, _mean(chosen, metric)])
    return _format(["phase", *lists, "mean"], lines, num_names=1)


def _phases(lists: dict[str, list[ResultRow]]) -> list[str]:
    return list(dict.fromkeys(row["phase"] for rows in lists.values() for row in rows))


def _mean(rows: Sequence[ResultRow | None], metric: Metric) -> str:
    """Return the mean of a figure over lists that weigh alike; nothing where a list has none."""
    values = [value_of(row or {}, *metric.keys) for row in rows]
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.{metric.digits}f}" if len(known) == len(values) else NOTHING


def _format(titles: Sequence[str], lines: Sequence[Sequence[str]], num_names: int) -> str:
    aligned = ["left"] * num_names + ["right"] * (len(titles) - num_names)
    return tabulate([titles, *lines], tablefmt="plain", colalign=aligned, disable_numparse=True)
