"""Results of many experiments side by side, as Markdown that reads as text too."""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from deep_speaker.config.folders import RESULTS
from deep_speaker.config.phases import is_floor
from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.metrics.registry import main_metric
from deep_speaker.results.cells import figure_cells
from deep_speaker.results.lists import TableLine, list_kind, list_names, table_lines
from deep_speaker.results.rows import CONVENTIONS, ResultRow, read_results, value_of
from deep_speaker.results.stale import describe_stale, mark_stale
from deep_speaker.trials.lists import base_list


class Compared(NamedTuple):
    """A line of a table of several experiments."""

    experiment: str
    line: TableLine

    @property
    def main(self) -> ResultRow:
        """The row of all trials; where there is none, the partner's."""
        return self.line.everything or self.line.one_plus_99


def compare_experiments(folder: Path, trials: str | None = None) -> str:
    """Return tables of all `<folder>/<corpus>/<experiment>/results.json`, by corpus and list.

    Args:
        trials: the only list to show; one of the 1 + 99 protocol stands for its own list.

    Raises:
        ValueError: there are no results, or none of this list.
    """
    found = read_all(folder)
    tables = [
        (name, f"## {corpus if name == 'trials' else f'{corpus}, {name}'}\n\n{table}\n")
        for corpus, experiments in found.items()
        for name, table in corpus_tables(experiments).items()
    ]
    chosen = [text for name, text in tables if trials is None or name == base_list(trials)]
    if not chosen:
        names = sorted({name for name, _ in tables})
        raise ValueError(f"no results of the list {trials!r}; there are: {', '.join(names)}")
    notes = [
        f"{corpus}/{name}: {note}"
        for corpus, experiments in found.items()
        for name, rows in experiments.items()
        for note in describe_stale(rows)
    ]
    return "\n".join([*chosen, *(f"- {line}" for line in [*notes, *CONVENTIONS])])


def read_all(folder: Path) -> dict[str, dict[str, list[ResultRow]]]:
    """Read rows by corpus and experiment; warn about broken files and leave them out.

    Raises:
        ValueError: none is left.
    """
    found: dict[str, dict[str, list[ResultRow]]] = {}
    paths = sorted(folder.glob(f"*/*/{RESULTS}"))
    for path in paths:
        try:
            rows = read_results(path)
        except (ValueError, OSError) as error:
            logging.warning("left out: %s", error)
            continue
        if not any("interval_95" in row for row in rows):
            remedy = stages_again(Stage.SCORES, Stage.RESULTS)
            logging.warning(
                "%s: of an older form, without intervals: %s, for this experiment", path, remedy
            )
        found.setdefault(path.parent.parent.name, {})[path.parent.name] = mark_stale(path, rows)
    if not found:
        raise ValueError(
            f"{folder}: {'no good' if paths else 'no'} <corpus>/<experiment>/results.json: "
            "run ./run.sh to its end first, or name the folder of experiments"
        )
    return found


def corpus_tables(experiments: Mapping[str, Sequence[ResultRow]]) -> dict[str, str]:
    """Return a table of the experiments of a corpus for each trial list of theirs."""
    names = dict.fromkeys(name for rows in experiments.values() for name in list_names(rows))
    return {
        name: format_comparison(
            name,
            [
                Compared(experiment, line)
                for experiment, rows in experiments.items()
                for line in table_lines(rows, name)
            ],
        )
        for name in names
    }


def format_comparison(name: str, lines: Sequence[Compared]) -> str:
    """Return the lines of a list, the best first, and the trials behind them."""
    kind = list_kind(name)
    metric = main_metric(kind)
    sign = 1 if metric.less_is_better else -1
    best = sorted(lines, key=lambda each: sign * (value_of(each.main, *metric.keys) or 0.0))
    rows = [
        {"experiment": each.experiment, "phase": each.line.phase, "back end": each.line.backend}
        | figure_cells(each.line, kind)
        for each in best
    ]
    return f"{format_markdown(merge_floors(rows), num_names=3)}\n\n{describe_trials(best)}"


def merge_floors(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Merge floors, which are the same for all experiments that split speakers alike."""
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


def as_plain_text(text: str) -> str:
    r"""Escape what Markdown, or a browser that shows it, would take for a sign.

    >>> as_plain_text("a|b <script>")
    'a\\|b \\<script\\>'
    """
    return re.sub(r"[\\`<>|\[\]]", r"\\\g<0>", text)


def format_markdown(rows: Sequence[dict[str, str]], num_names: int) -> str:
    """Return a table whose first columns are names, to the left, and whose others are figures.

    >>> print(format_markdown([{"who": "a|b", "%": "1.5"}, {"who": "c", "%": "10.5"}], num_names=1))
    | who   |    % |
    |:------|-----:|
    | a\\|b  |  1.5 |
    | c     | 10.5 |
    """
    names = list(rows[0])[:num_names]
    escaped = [row | {key: as_plain_text(row[key]) for key in names} for row in rows]
    aligned = ["left"] * num_names + ["right"] * (len(rows[0]) - num_names)
    return tabulate(escaped, "keys", "pipe", colalign=aligned, disable_numparse=True)


def describe_trials(lines: Sequence[Compared]) -> str:
    """Return the numbers of trials; where experiments differ in them, also which have which."""
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
