"""Results of an experiment: a row per phase, back end, trial list and subset (stage 6)."""

import glob
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deep_speaker.config.folders import vectors_file
from deep_speaker.kaldi.tables import read_table
from deep_speaker.metrics.detection_costs import P_TARGETS
from deep_speaker.results.rows import ResultRow
from deep_speaker.results.stale import find_stale
from deep_speaker.results.subsets import TrialSubset, find_subsets, has_both_kinds
from deep_speaker.scoring.calibration import Calibration, fit_calibration
from deep_speaker.scoring.score_files import (
    CALIBRATION_TRIALS,
    find_score_files,
    read_scores,
    score_file,
)
from deep_speaker.system.files import replacing_file
from deep_speaker.system.origins import NOTHING
from deep_speaker.trials.lists import find_trial_lists
from deep_speaker.trials.models import MODELS
from deep_speaker.trials.table import TrialTable, read_trial_table


def compute_rows(
    data_dir: Path, score_dir: Path, phases: Sequence[str], asked: Mapping[str, Any] = NOTHING
) -> list[ResultRow]:
    """Compute the rows of results.json.

    Those of same-sex trials where the sex of all speakers of a list is known. A list that lacks
    targets or nontargets has none, see `unjudged`.

    Args:
        asked: the config as it is asked for now, by sections: rows of another are marked.

    Raises:
        ValueError: scores are missing or no numbers.
    """
    calibrations = read_calibrations(score_dir, phases)
    utterances = set(read_table(data_dir / "utt2spk"))
    rows: list[ResultRow] = []
    for name, path in find_trial_lists(data_dir).items():
        trials = read_trial_table(path)
        if not has_both_kinds(trials.is_target):
            continue
        subsets = list(find_subsets(name, trials, data_dir))
        # Calibration is by pairs of utterances, and says nothing of models of several.
        known = calibrations if utterances.issuperset(trials.names) else {}
        for phase in dict.fromkeys(phases):
            for row in _rows_of_phase(score_dir / phase, path, trials, subsets, known, asked):
                rows.append({"phase": phase, "trials": name} | row)
    return sorted(rows, key=lambda row: phases.index(row["phase"]))


def _rows_of_phase(
    prefix: Path, trial_list: Path, trials: TrialTable, subsets: Sequence[TrialSubset],
    calibrations: dict[Path, Calibration], asked: Mapping[str, Any],
) -> Iterator[ResultRow]:  # fmt: skip
    """Yield the rows of a list by each back end whose score files begin with a prefix."""
    for backend, path in find_score_files(prefix, trial_list).items():
        scores = read_scores(path, trials)
        calibrated_by = score_file(prefix, Path(CALIBRATION_TRIALS), backend)
        calibration = calibrations.get(calibrated_by)
        files = [path, calibrated_by] if calibration else [path]
        # By these the clock tells where there is no record, as of scores of other programs.
        stale = find_stale(files, _find_vectors(prefix, trial_list.parent), asked)
        for subset in subsets:
            try:
                row = subset.compute_row(scores[subset.chosen], calibration)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            yield {"subset": subset.name, "backend": backend} | row | stale


def _find_vectors(prefix: Path, data_dir: Path) -> list[Path]:
    folders = (data_dir, data_dir.with_name("train"))
    return [vectors_file(prefix.parents[1], prefix.name, folder) for folder in folders]


def read_calibrations(score_dir: Path, phases: Sequence[str]) -> dict[Path, Calibration]:
    """Fit calibrations to scores of held-out training speakers, by the files of these.

    Warn about scores that give none.
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


def files_behind(data_dir: Path, score_dir: Path, phases: Sequence[str]) -> list[Path]:
    """Return the files that rows are made of: scores, trial lists, and who speaks."""
    lists = list(find_trial_lists(data_dir).values())
    calibration = score_dir / CALIBRATION_TRIALS
    scored = [*lists, *([calibration] if calibration.is_file() else [])]
    begins = [score_file(Path(phase), path, "").name for phase in phases for path in scored]
    scores = [
        path
        for begin in dict.fromkeys(begins)
        for path in sorted(score_dir.glob(f"{glob.escape(begin)}*"))
        if "." not in path.name.removeprefix(begin)  # as `find_score_files` finds them
    ]
    tables = (data_dir / name for name in ("utt2spk", "spk2gender", MODELS))
    return [*scores, *scored, *(path for path in tables if path.is_file())]


def write_results(path: Path, rows: Sequence[ResultRow]) -> None:
    """Write results.json."""
    with replacing_file(path) as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
