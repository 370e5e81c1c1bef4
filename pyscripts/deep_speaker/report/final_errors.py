"""The errors of the final phase: its worst trials, and the speakers with the most errors."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report.calibrated_scores import calibrate
from deep_speaker.report.speaker_errors import SpeakerErrors, eer_threshold, speaker_errors
from deep_speaker.report.worst_trials import WorstTrial, read_id_tables, worst_trials
from deep_speaker.scoring.score_files import read_scores
from deep_speaker.trials.table import TrialTable

NUM_SPEAKERS = 8  # of the table of errors


class FinalErrors(NamedTuple):
    """Trials by their title, and speakers, of a phase by its main back end."""

    phase: str
    backend: str
    unit: str
    worst: dict[str, list[WorstTrial]]
    speakers: list[SpeakerErrors]
    num_speakers: int
    sexes: dict[str, str]


def find_final_errors(
    trials: TrialTable, data_dir: Path, phase: str, paths: Mapping[str, Path], calibration: object
) -> FinalErrors:
    """Find the worst trials and speakers of a phase, at the threshold of its EER.

    Args:
        paths: of the scores of the phase by back end, the main one first.
    """
    backend, path = next(iter(paths.items()))
    scores = read_scores(path, trials)
    shown = calibrate(scores, calibration)
    tables = read_id_tables(data_dir, trials.names)
    worst = {
        "Nontargets with the highest": worst_trials(trials, shown.values, False, tables),
        "Targets with the lowest": worst_trials(trials, shown.values, True, tables),
    }
    threshold = eer_threshold(error_rates(scores, trials.is_target))
    speakers = [tables.speakers[name] for name in trials.names]
    errors = speaker_errors(trials, speakers, scores, threshold)
    wrong = [each for each in errors if each.misses or each.false_alarms][:NUM_SPEAKERS]
    return FinalErrors(phase, backend, shown.unit, worst, wrong, len(errors), dict(tables.sexes))
