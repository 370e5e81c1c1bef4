"""Scores of all phases as plots: DET curves and histograms."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deep_speaker.metrics.detection_costs import P_TARGETS
from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report.calibrated_scores import LLR, calibrate
from deep_speaker.report.det_curves import DetCurve, DetPanel, det_curve, det_figure
from deep_speaker.report.score_histograms import ScoreHistogram, histogram_figure, score_histogram
from deep_speaker.report.styles import backend_styles, phase_styles
from deep_speaker.scoring.score_files import read_scores
from deep_speaker.trials.table import TrialTable

BAYES_P_TARGETS = P_TARGETS[:2]  # of the thresholds in the histograms


class PhaseScores(NamedTuple):
    """The plots' part of the scores of a phase by its main back end.

    Attributes:
        histogram: None where no score is finite.
        unit: `LLR` or `SCORE`, of the histogram.
    """

    curve: DetCurve
    histogram: ScoreHistogram | None
    unit: str


def summarise_scores(trials: TrialTable, path: Path, calibration: object) -> PhaseScores:
    """Read the scores of a phase, and keep the part that plots show."""
    scores = read_scores(path, trials)
    curve = det_curve(error_rates(scores, trials.is_target))
    shown = calibrate(scores, calibration)
    return PhaseScores(curve, score_histogram(shown.values, trials.is_target), shown.unit)


def plot_curves(
    name: str, trials: TrialTable, phases: Mapping[str, PhaseScores], last: str,
    paths: Mapping[str, Path],
) -> str:  # fmt: skip
    """Draw DET curves of all phases, and beside them of all back ends of the last.

    Args:
        name: of the list.
        paths: of the scores of the last phase by back end, the main one first.
    """
    curves = {phase: kept.curve for phase, kept in phases.items()}
    panels = [DetPanel("Phases", curves, phase_styles(curves))]
    if len(paths) > 1:
        main, *others = paths
        backends = {main: curves[last]} | {
            backend: det_curve(error_rates(read_scores(paths[backend], trials), trials.is_target))
            for backend in others
        }
        panels.append(DetPanel(f"Back ends of {last}", backends, backend_styles(backends)))
    return det_figure(f"{name}-det", panels)


def plot_histograms(name: str, phases: Mapping[str, PhaseScores], last: str) -> str | None:
    """Draw the histograms of all phases, the last large; None where it has none."""
    found = {phase: kept.histogram for phase, kept in phases.items() if kept.histogram}
    if last not in found:
        return None
    unit = phases[last].unit
    thresholds = {f"p = {p:g}": math.log((1 - p) / p) for p in BAYES_P_TARGETS}
    marked = thresholds if unit == LLR else {}
    return histogram_figure(f"{name}-scores", found, last, unit, marked, phase_styles(found))


def infinite_notes(phases: Mapping[str, PhaseScores]) -> Sequence[str]:
    """Return a sentence on each phase with scores that are not finite."""
    return [
        f"{phase}: {kept.histogram.num_infinite if kept.histogram else 'all'} scores are "
        "infinite, and not drawn."
        for phase, kept in phases.items()
        if kept.histogram is None or kept.histogram.num_infinite
    ]
