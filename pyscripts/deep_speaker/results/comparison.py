"""Results of many experiments side by side, as Markdown that reads as text too."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from deep_speaker.config.phases import is_floor
from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.results.rows import (
    CONVENTIONS,
    Row,
    TableLine,
    list_names,
    read_results,
    table_lines,
    value_of,
)
from deep_speaker.results.text_table import identification_cells, verification_cells
from deep_speaker.trials.lists import base_list, is_identification

REMEDY = f"{stages_again(Stage.SCORES, Stage.RESULTS)}, for this experiment"


class Compared(NamedTuple):
    """A line of a table of several experiments."""

    experiment: str
    line: TableLine

    @property
    def main(self) -> Row:
        return self.line.everything or self.line.one_plus_99


def compare_experiments(folder: Path, trials: str | None = None) -> str:
    """Tables of all `<folder>/<corpus>/<experiment>/results.json`, one per corpus and trial list.

    Args:
        trials: the only list to show; one of the 1 + 99 protocol stands for its own list.

    Raises:
        ValueError: there are no results, or none of this list.
    """
    found = read_all(folder)
    tables = []
    names: set[str] = set()
    for corpus, experiments in found.items():
        lists = dict.fromkeys(name for rows in experiments.values() for name in list_names(rows))
        names |= lists.keys()
        for name in lists if trials is None else lists.keys() & {base_list(trials)}:
            lines = [
                Compared(experiment, line)
                for experiment, rows in experiments.items()
                for line in table_lines(rows, name)
            ]
            title = corpus if name == "trials" else f"{corpus}, {name}"
            tables.append(f"## {title}\n\n{format_table(name, lines)}\n")
    if not tables:
        raise ValueError(
            f"no results of the list {trials!r}; there are: {', '.join(sorted(names))}"
        )
    return "\n".join([*tables, *(f"- {line}" for line in CONVENTIONS)])


def read_all(folder: Path) -> dict[str, dict[str, list[Row]]]:
    """Rows by corpus and experiment; broken files are logged and left out.

    Raises:
        ValueError: none is left.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    paths = sorted(folder.glob("*/*/results.json"))
    for path in paths:
        try:
            rows = read_results(path)
        except (ValueError, OSError) as error:
            logging.warning("left out: %s", error)
            continue
        if not any("interval_95" in row for row in rows):
            logging.warning("%s: of an older form, without intervals: %s", path, REMEDY)
        found.setdefault(path.parent.parent.name, {})[path.parent.name] = rows
    if not found:
        raise ValueError(
            f"{folder}: {'no good' if paths else 'no'} <corpus>/<experiment>/results.json: "
            "run ./run.sh to its end first, or name the folder of experiments"
        )
    return found


def format_table(name: str, lines: Sequence[Compared]) -> str:
    """The lines of a list, the best first, and the trials behind them."""
    cells, sort_by = (
        (identification_cells, "identification_accuracy_percent") if is_identification(name)
        else (verification_cells, "eer_percent")
    )  # fmt: skip
    sign = -1 if is_identification(name) else 1
    best = sorted(lines, key=lambda each: sign * (value_of(each.main, sort_by) or 0.0))
    names = [
        {"experiment": each.experiment, "phase": each.line.phase, "back end": each.line.backend}
        for each in best
    ]
    rows = [first | cells(each.line) for first, each in zip(names, best, strict=True)]
    rows = merge_floors(rows)
    return f"{markdown(rows, num_names=3)}\n\n{describe_counts(best)}"


def merge_floors(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Floors are the same for all experiments that split speakers alike: one line for them."""
    merged: dict[tuple[str, ...], dict[str, str]] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        experiment, *others = row.values()
        key = tuple(others) if is_floor(row["phase"]) else (experiment, *others)
        counts[key] += 1
        merged.setdefault(key, row)
    return [
        row if counts[key] == 1 else row | {"experiment": f"({counts[key]} experiments)"}
        for key, row in merged.items()
    ]


def markdown(rows: Sequence[dict[str, str]], num_names: int) -> str:
    """A table whose first columns are names, to the left, and whose others are figures.

    >>> print(markdown([{"who": "a|b", "%": "1.5"}, {"who": "c", "%": "10.5"}], num_names=1))
    | who  |    % |
    |------|-----:|
    | a\\|b |  1.5 |
    | c    | 10.5 |
    """
    escaped = [[text.replace("|", "\\|") for text in row.values()] for row in rows]
    lines = [list(rows[0]), *escaped]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        [
            cell.ljust(width) if i < num_names else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    rule = "|".join(
        "-" * (width + 2) if i < num_names else "-" * (width + 1) + ":"
        for i, width in enumerate(widths)
    )
    header, *body = [f"| {' | '.join(line)} |" for line in aligned]
    return "\n".join([header, f"|{rule}|", *body])


def describe_counts(lines: Sequence[Compared]) -> str:
    """The numbers of trials; where experiments differ in them, which have which."""
    counts: dict[tuple[int, int], dict[str, None]] = {}
    for each in lines:
        if each.main:
            key = each.main["num_target"], each.main["num_nontarget"]
            counts.setdefault(key, {})[each.experiment] = None
    texts = [
        f"{targets:,} target, {nontargets:,} nontarget trials"
        + (f" ({', '.join(sorted(names))})" if len(counts) > 1 else "")
        for (targets, nontargets), names in counts.items()
    ]
    warning = "Not the same trials, so not to be compared: " if len(counts) > 1 else ""
    return warning + "; ".join(texts) + "."
