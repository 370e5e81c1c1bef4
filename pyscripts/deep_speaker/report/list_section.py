"""The section of a trial list: tables, and in verification curves, histograms and errors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deep_speaker.config.phases import final_phase
from deep_speaker.report.final_errors import FinalErrors, find_final_errors
from deep_speaker.report.phase_scores import (
    infinite_notes,
    plot_curves,
    plot_histograms,
    summarise_scores,
)
from deep_speaker.report.tables import HtmlTable, html_table
from deep_speaker.results.lists import TableLine, list_kind, table_lines
from deep_speaker.results.rows import ResultRow
from deep_speaker.scoring.score_files import find_score_files
from deep_speaker.trials.table import read_trial_table


class ListSection(NamedTuple):
    """A section of the page; parts that the list has no data for are None."""

    name: str
    tables: dict[str, HtmlTable]
    det: str | None = None
    histograms: str | None = None
    notes: Sequence[str] = ()
    final: FinalErrors | None = None


def list_section(
    name: str,
    trial_list: Path | None,
    score_dir: Path,
    phases: Sequence[str],
    rows: Sequence[ResultRow],
) -> ListSection:
    """Make the section of a list; plots and errors are of lists for verification.

    Args:
        trial_list: its file; None where results have only its partner of the 1 + 99 protocol.
    """
    tables = subset_tables(name, table_lines(rows, name))
    if trial_list is None or list_kind(name) != "verification":
        return ListSection(name, tables)
    trials = read_trial_table(trial_list)
    files = {phase: find_score_files(score_dir / phase, trial_list) for phase in phases}
    calibrations = main_calibrations(name, rows, files)
    scores = {
        phase: summarise_scores(trials, next(iter(paths.values())), calibrations.get(phase))
        for phase, paths in files.items()
    }
    last = final_phase(phases)
    return ListSection(
        name,
        tables,
        plot_curves(name, trials, scores, last, files[last]),
        plot_histograms(name, scores, last),
        infinite_notes(scores),
        find_final_errors(trials, trial_list.parent, last, files[last], calibrations.get(last)),
    )


def subset_tables(name: str, lines: Sequence[TableLine]) -> dict[str, HtmlTable]:
    """Make the tables of a list by subset, without those that would be empty."""
    made = {subset: html_table(name, lines, subset) for subset in ("all", "same_sex")}
    return {subset: table for subset, table in made.items() if table}


def main_calibrations(
    name: str, rows: Sequence[ResultRow], files: Mapping[str, Mapping[str, Path]]
) -> dict[str, object]:
    """Return the calibration, or None, of each phase's main back end.

    Args:
        files: of the scores by phase and back end, the main one first.
    """
    return {
        row["phase"]: row.get("calibration")
        for row in rows
        if (row["trials"], row["subset"]) == (name, "all")
        and row["backend"] == next(iter(files[row["phase"]]))
    }
