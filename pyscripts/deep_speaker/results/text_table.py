"""The results of an experiment as a table to read."""

from collections.abc import Sequence

from deep_speaker.results.rows import (
    CONVENTIONS,
    COSTS,
    RANK,
    Row,
    TableLine,
    format_interval,
    format_number,
    interval_of,
    list_names,
    table_lines,
    value_of,
)
from deep_speaker.trials.lists import is_identification


def format_table(rows: Sequence[Row]) -> str:
    """A table per trial list, a line per phase and back end; below, counts and conventions.

    A list and its partner of the 1 + 99 protocol share a table.
    """
    names = list_names(rows)
    tables = []
    for name in names:
        title = [name] if len(names) > 1 else []
        tables += [*title, *_format_lines(name, table_lines(rows, name)), ""]
    counts = {(row["trials"], row["subset"]): row for row in rows}
    notes = [
        f"{trials}, {subset}: {row['num_target']} target, {row['num_nontarget']} nontarget trials"
        for (trials, subset), row in counts.items()
    ]
    return "\n".join([*tables, *notes, *CONVENTIONS])


def _format_lines(name: str, lines: Sequence[TableLine]) -> list[str]:
    """The header and the lines of a list, aligned; a phase is named once."""
    cells = identification_cells if is_identification(name) else verification_cells
    rows: list[list[str]] = []
    before = ""
    for line in lines:
        names = {"phase": "" if line.phase == before else line.phase, "back end": line.backend}
        row = names | cells(line)
        rows += [list(row.values())] if rows else [list(row), list(row.values())]
        before = line.phase
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:])])
        for row in rows
    ]


def verification_cells(line: TableLine) -> dict[str, str]:
    everything = line.everything
    return {
        "EER %": format_number(value_of(everything, "eer_percent"), 2),
        "95 %": format_interval(interval_of(everything, "eer_percent"), 2) or "-",
        "same-sex EER %": format_number(value_of(line.same_sex, "eer_percent"), 2),
        **{f"minDCF({p})": format_number(value_of(everything, "min_dcf", p), 3) for p in COSTS},
        f"actDCF({COSTS[0]})": format_number(value_of(everything, "act_dcf", COSTS[0]), 3),
        "Cllr": format_number(value_of(everything, "cllr"), 3),
        "ACC %": format_number(value_of(line.one_plus_99, "identification_accuracy_percent"), 2),
    }


def identification_cells(line: TableLine) -> dict[str, str]:
    key = "identification_accuracy_percent"
    return {
        "rank-1 %": format_number(value_of(line.everything, key), 2),
        "95 %": format_interval(interval_of(line.everything, key), 2) or "-",
        f"rank-{RANK} %": format_number(
            value_of(line.everything, f"rank{RANK}_accuracy_percent"), 2
        ),
        "same-sex rank-1 %": format_number(value_of(line.same_sex, key), 2),
    }
