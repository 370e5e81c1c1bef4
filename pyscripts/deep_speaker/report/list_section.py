"""What a report shows of one trial list: tables, curves, histograms, errors."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.config.phases import final_phase
from deep_speaker.metrics.detection_costs import P_TARGETS
from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report.det_curves import DetCurve, det_curve, det_figure
from deep_speaker.report.score_histograms import ScoreHistogram, histogram_figure, score_histogram
from deep_speaker.report.speaker_errors import SpeakerErrors, eer_threshold, speaker_errors
from deep_speaker.report.styles import backend_styles, phase_styles
from deep_speaker.report.tables import HtmlTable, html_table
from deep_speaker.report.worst_trials import WorstTrial, read_sides, worst_trials
from deep_speaker.results.rows import Row, table_lines, value_of
from deep_speaker.scoring.score_files import find_score_files, read_scores
from deep_speaker.trials.lists import is_identification
from deep_speaker.trials.table import TrialTable, read_trial_table

NUM_SPEAKERS = 8  # of the table of errors
MARKED = P_TARGETS[:2]  # p(target) of the Bayes thresholds in the histograms
LLR, SCORE = "log-likelihood ratio, nats", "score"


class PhaseSummary(NamedTuple):
    """What is kept of the scores of a phase by its main back end.

    Attributes:
        unit: `LLR` or `SCORE`: what the histogram is of; it is None where no score is finite.
    """

    backend: str
    curve: DetCurve
    histogram: ScoreHistogram | None
    unit: str


class FinalErrors(NamedTuple):
    """The errors of the final phase: trials by their title, and the speakers with the most."""

    phase: str
    backend: str
    unit: str
    worst: dict[str, list[WorstTrial]]
    speakers: list[SpeakerErrors]
    num_speakers: int
    sexes: dict[str, str]


class ListReport(NamedTuple):
    """A section of the page; what there is nothing for is None."""

    name: str
    tables: dict[str, HtmlTable]
    det: str | None = None
    histograms: str | None = None
    notes: Sequence[str] = ()
    final: FinalErrors | None = None


def report_list(
    name: str, trial_list: Path | None, score_dir: Path, phases: Sequence[str], rows: Sequence[Row]
) -> ListReport:
    """The section of a list; plots and errors are of lists for verification.

    Args:
        trial_list: its file; None where results have only its partner of the 1 + 99 protocol.
    """
    lines = table_lines(rows, name)
    made = {subset: html_table(name, lines, subset) for subset in ("all", "same_sex")}
    tables = {subset: table for subset, table in made.items() if table}
    if trial_list is None or is_identification(name):
        return ListReport(name, tables)
    trials = read_trial_table(trial_list)
    files = {phase: find_score_files(score_dir / phase, trial_list) for phase in phases}
    calibrations = {
        row["phase"]: row.get("calibration")
        for row in rows
        if (row["trials"], row["subset"]) == (name, "all")
        and row["backend"] == next(iter(files[row["phase"]]))
    }
    summaries = {
        phase: summarise(trials, *next(iter(paths.items())), calibrations.get(phase))
        for phase, paths in files.items()
    }
    last = final_phase(phases)
    return ListReport(
        name,
        tables,
        draw_curves(name, trials, summaries, last, files[last]),
        draw_histograms(name, summaries, last),
        infinite_notes(summaries),
        describe_errors(trials, trial_list.parent, last, files[last], calibrations.get(last)),
    )


def summarise(trials: TrialTable, backend: str, path: Path, calibration: object) -> PhaseSummary:
    scores = read_scores(path, trials)
    curve = det_curve(error_rates(scores, trials.is_target))
    shown, unit = calibrated(scores, calibration)
    return PhaseSummary(backend, curve, score_histogram(shown, trials.is_target), unit)


def calibrated(scores: np.ndarray, calibration: object) -> tuple[np.ndarray, str]:
    """Log-likelihood ratios where a row has a calibration, else the scores; and which they are."""
    scale, offset = (
        value_of(calibration, key) if isinstance(calibration, dict) else None
        for key in ("scale", "offset")
    )
    if scale is None or offset is None:
        return scores, SCORE
    return scale * scores + offset, LLR


def draw_curves(
    name: str, trials: TrialTable, summaries: Mapping[str, PhaseSummary], last: str,
    paths: Mapping[str, Path],
) -> str:  # fmt: skip
    """DET curves of all phases, and beside them of all back ends of the last."""
    curves = {phase: summary.curve for phase, summary in summaries.items()}
    panels = {"Phases": (curves, phase_styles(curves))}
    if len(paths) > 1:
        main, *others = paths
        backends = {main: curves[last]} | {
            backend: det_curve(error_rates(read_scores(paths[backend], trials), trials.is_target))
            for backend in others
        }
        panels[f"Back ends of {last}"] = backends, backend_styles(backends)
    return det_figure(f"{name}-det", panels)


def draw_histograms(name: str, summaries: Mapping[str, PhaseSummary], last: str) -> str | None:
    found = {phase: summary.histogram for phase, summary in summaries.items() if summary.histogram}
    if last not in found:
        return None
    unit = summaries[last].unit
    thresholds = [(f"p = {p:g}", math.log((1 - p) / p)) for p in MARKED] if unit == LLR else []
    return histogram_figure(f"{name}-scores", found, last, unit, thresholds, phase_styles(found))


def infinite_notes(summaries: Mapping[str, PhaseSummary]) -> list[str]:
    return [
        f"{phase}: {summary.histogram.num_infinite if summary.histogram else 'all'} scores are "
        "infinite, and not drawn."
        for phase, summary in summaries.items()
        if summary.histogram is None or summary.histogram.num_infinite
    ]


def describe_errors(
    trials: TrialTable, data_dir: Path, phase: str, paths: Mapping[str, Path], calibration: object
) -> FinalErrors:
    """Worst trials and speakers of a phase by its main back end, at the threshold of its EER."""
    backend, path = next(iter(paths.items()))
    scores = read_scores(path, trials)
    threshold = eer_threshold(error_rates(scores, trials.is_target))
    shown, unit = calibrated(scores, calibration)
    sides = read_sides(data_dir, trials.names)
    worst = {
        "Nontargets with the highest": worst_trials(trials, shown, False, sides),
        "Targets with the lowest": worst_trials(trials, shown, True, sides),
    }
    speakers = [sides.speakers[name] for name in trials.names]
    errors = speaker_errors(trials, speakers, scores, threshold)
    wrong = [each for each in errors if each.misses or each.false_alarms][:NUM_SPEAKERS]
    return FinalErrors(phase, backend, unit, worst, wrong, len(errors), dict(sides.sexes))
