"""Trial lists of results: their kinds, and a line of a table per phase and back end."""

from collections.abc import Sequence
from typing import NamedTuple

from deep_speaker.metrics.metric import ListKind
from deep_speaker.results.rows import ResultRow
from deep_speaker.results.stale import name_backend
from deep_speaker.trials.lists import base_list, is_identification


class TableLine(NamedTuple):
    """The rows behind a line of a list's table; empty ones where there are none."""

    phase: str
    backend: str
    everything: ResultRow
    same_sex: ResultRow
    one_plus_99: ResultRow  # of the list's partner of that protocol


def list_kind(name: str) -> ListKind:
    """Tell what a list asks for.

    >>> list_kind("trials"), list_kind("ar_one_plus_99"), list_kind("identification")
    ('verification', 'one_plus_99', 'identification')
    """
    if is_identification(name):
        return "identification"
    return "verification" if base_list(name) == name else "one_plus_99"


def list_names(rows: Sequence[ResultRow]) -> list[str]:
    """Return the trial lists of rows, each named once with its partner of the 1 + 99 protocol."""
    return list(dict.fromkeys(base_list(row["trials"]) for row in rows))


def table_lines(rows: Sequence[ResultRow], name: str) -> list[TableLine]:
    """Return a line per phase and back end of a trial list, in the order of the rows."""
    found: dict[tuple[str, str], dict[tuple[bool, str], ResultRow]] = {}
    for row in rows:
        if base_list(row["trials"]) == name:
            key = row["phase"], name_backend(row)
            found.setdefault(key, {})[row["trials"] == name, row["subset"]] = row
    kinds = ((True, "all"), (True, "same_sex"), (False, "all"))
    return [TableLine(*key, *(own.get(kind, {}) for kind in kinds)) for key, own in found.items()]
