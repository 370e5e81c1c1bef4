"""The results of an experiment as a table to read."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from deep_speaker.results.cells import figure_cells
from deep_speaker.results.lists import TableLine, list_kind, list_names, table_lines
from deep_speaker.results.rows import CONVENTIONS, ResultRow
from deep_speaker.results.stale import describe_stale
from deep_speaker.results.summary import format_summary
from deep_speaker.system.files import replacing_file


def write_tables(path: Path, rows: Sequence[ResultRow]) -> str:
    """Write results.txt, and return what of it to print: of one list all, of several a summary."""
    whole = format_results(rows)
    with replacing_file(path) as file:
        file.write(f"{whole}\n")
    if len(list_names(rows)) == 1:
        return whole
    return "\n".join([format_summary(rows), "", *describe_stale(rows)])


def format_results(rows: Sequence[ResultRow]) -> str:
    """Return a table per trial list, a line per phase and back end; then counts, conventions.

    A list and its partner of the 1 + 99 protocol share a table.
    """
    names = list_names(rows)
    tables = []
    for name in names:
        title = [name] if len(names) > 1 else []
        tables += [*title, _format_list(name, table_lines(rows, name)), ""]
    counts = {(row["trials"], row["subset"]): row for row in rows}
    notes = [
        f"{trials}, {subset}: {row['num_target']} target, {row['num_nontarget']} nontarget trials"
        for (trials, subset), row in counts.items()
    ]
    return "\n".join([*tables, *notes, *describe_stale(rows), *CONVENTIONS])


def _format_list(name: str, lines: Sequence[TableLine]) -> str:
    """Return the table of a list; a phase is named once."""
    rows: list[list[str]] = []
    before = ""
    for line in lines:
        names = {"phase": "" if line.phase == before else line.phase, "back end": line.backend}
        row = names | figure_cells(line, list_kind(name))
        rows += [list(row.values())] if rows else [list(row), list(row.values())]
        before = line.phase
    aligned = ["left"] * 2 + ["right"] * (len(rows[0]) - 2)
    return tabulate(rows, tablefmt="plain", colalign=aligned, disable_numparse=True)
