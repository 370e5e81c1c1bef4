"""Results of an experiment: a row per phase, back end, trial list and subset (stage 6)."""

import glob
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.kaldi.tables import read_table
from deep_speaker.metrics.detection_costs import P_TARGETS, act_dcf, cllr, min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.identification import identification_accuracy
from deep_speaker.metrics.intervals import SpeakerBootstrap
from deep_speaker.results.rows import RANK, Row
from deep_speaker.scoring.calibration import Calibration, fit_calibration
from deep_speaker.scoring.score_files import (
    CALIBRATION_TRIALS,
    find_score_files,
    read_scores,
    score_file,
)
from deep_speaker.system.files import replacing_file
from deep_speaker.trials.lists import base_list, find_trial_lists, is_identification
from deep_speaker.trials.table import TrialTable, find_same_sex, find_speakers, read_trial_table


def compute_rows(data_dir: Path, score_dir: Path, phases: Sequence[str]) -> list[Row]:
    """The rows of results.json; same-sex rows where the sex of all speakers of a list is known."""
    calibrations = read_calibrations(score_dir, phases)
    utterances = set(read_table(data_dir / "utt2spk"))
    calibration_trials = Path(CALIBRATION_TRIALS)
    rows = []
    for name, trial_list in find_trial_lists(data_dir).items():
        trials = read_trial_table(trial_list)
        if np.unique(trials.is_target).size < 2:
            raise ValueError(
                f"{trial_list}: target and nontarget trials are both needed: mend or remove it"
            )
        subsets = list(find_subsets(name, trials, data_dir))
        # Calibration is by pairs of utterances, and says nothing of models of several.
        pairs_utterances = utterances.issuperset(trials.names)
        for phase in dict.fromkeys(phases):
            for backend, path in find_score_files(score_dir / phase, trial_list).items():
                scores = read_scores(path, trials)
                calibrated = score_file(score_dir / phase, calibration_trials, backend)
                calibration = calibrations.get(calibrated) if pairs_utterances else None
                for subset in subsets:
                    try:
                        row = subset.compute_row(scores[subset.chosen], calibration)
                    except ValueError as error:
                        raise ValueError(f"{path}: {error}") from error
                    names = {"phase": phase, "trials": name, "subset": subset.name}
                    rows.append(names | {"backend": backend} | row)
    return sorted(rows, key=lambda row: phases.index(row["phase"]))


def read_calibrations(score_dir: Path, phases: Sequence[str]) -> dict[Path, Calibration]:
    """Calibrations by the scores of held-out training speakers, by prefix and back end of these.

    Scores that give none are told of.
    """
    trial_list = score_dir / CALIBRATION_TRIALS
    if not trial_list.is_file():
        return {}
    trials = read_trial_table(trial_list)
    found = {}
    for phase in phases:
        for path in score_dir.glob(f"{glob.escape(score_file(Path(phase), trial_list, '').name)}*"):
            try:
                scores = read_scores(path, trials)[:, None]
                found[path] = fit_calibration(scores, trials.is_target, P_TARGETS[0])
            except ValueError as error:
                logging.warning("%s does not calibrate: %s", path, error)
    return found


class TrialSubset:
    """Trials of a list that are judged together, and all that does not depend on the scores."""

    def __init__(self, list_name: str, name: str, trials: TrialTable, chosen: np.ndarray,
                 speakers: Sequence[str]) -> None:  # fmt: skip
        self.name, self.chosen = name, chosen
        enroll, test = trials.enroll[chosen], trials.test[chosen]
        self._is_target = trials.is_target[chosen]
        codes = np.unique(speakers, return_inverse=True)[1]  # of each name
        self._bootstrap = SpeakerBootstrap(codes[enroll], codes[test], self._is_target)
        self._anchors = None
        if is_identification(list_name):
            self._anchors = test
        elif base_list(list_name) != list_name:  # of the 1 + 99 protocol
            self._anchors = enroll
        self._ranks = {1: "identification_accuracy_percent"}
        if is_identification(list_name) and np.unique(test, return_counts=True)[1].min() > RANK:
            self._ranks[RANK] = f"rank{RANK}_accuracy_percent"

    def compute_row(self, scores: np.ndarray, calibration: Calibration | None) -> Row:
        """The figures of the scores of these trials."""
        is_target = self._is_target
        rates = error_rates(scores, is_target)
        row: Row = {
            "num_target": int(is_target.sum()),
            "num_nontarget": int((~is_target).sum()),
            "eer_percent": round(100 * equal_error_rate(rates), 4),
            "min_dcf": {f"{p:g}": round(min_dcf(rates, p), 5) for p in P_TARGETS},
        }
        llrs = None
        if calibration is not None:
            llrs = calibration.llrs(scores[:, None])
            scale, offset = calibration.weights[0], calibration.offset
            row |= {
                "act_dcf": {f"{p:g}": round(act_dcf(llrs, is_target, p), 5) for p in P_TARGETS},
                "cllr": round(cllr(llrs, is_target), 5),
                "calibration": {"scale": scale, "offset": offset},
            }
        if self._anchors is None:
            intervals: Row = dict(self._bootstrap.intervals(scores, llrs))
        else:
            for rank, key in self._ranks.items():
                accuracy = identification_accuracy(self._anchors, scores, is_target, rank)
                row[key] = round(100 * accuracy, 4)
            interval = self._bootstrap.accuracy_interval(self._anchors, scores)
            intervals = {self._ranks[1]: interval and [100 * end for end in interval]}
        return row | {"interval_95": _rounded(intervals)}


def _rounded(value: Any) -> Any:
    """Numbers in lists and dictionaries, to 5 digits."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value if value is None else round(value, 5)


def find_subsets(list_name: str, trials: TrialTable, data_dir: Path) -> Iterator[TrialSubset]:
    """All trials of a list, and those of one sex, where that is known and leaves both kinds."""
    speakers = find_speakers(trials.names, data_dir)
    everything = np.ones(len(trials), dtype=bool)
    yield TrialSubset(list_name, "all", trials, everything, speakers)
    same_sex = find_same_sex(trials, data_dir)
    if same_sex is not None and np.unique(trials.is_target[same_sex]).size == 2:
        yield TrialSubset(list_name, "same_sex", trials, same_sex, speakers)


def write_results(path: Path, rows: Sequence[Row]) -> None:
    with replacing_file(path) as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
