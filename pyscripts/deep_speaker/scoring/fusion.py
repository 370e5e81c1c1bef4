"""Fusion of several systems' scores."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config.stages import Stage
from deep_speaker.metrics.detection_costs import P_TARGETS
from deep_speaker.scoring.calibration import Calibration, fit_calibration, standardised_sum
from deep_speaker.scoring.score_files import (
    CALIBRATION_TRIALS,
    FUSION,
    find_score_files,
    format_lines,
    read_scores,
    score_file,
)
from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.system.origins import note_origins
from deep_speaker.trials.lists import find_trial_lists
from deep_speaker.trials.table import TrialTable, read_trial_table

LINES_AT_ONCE = 1 << 16


def fuse_scores(
    data_dir: Path,
    prefixes: Sequence[Path],
    output: Path,
    method: str = "regression",
    backend: str | None = None,
) -> None:
    """Write scores of several systems as one system's, for all trial lists of a test directory.

    Args:
        prefixes: of the systems' score files, see `score_files.score_file`.
        output: the prefix of the fused ones.
        method: `regression`, logistic, fitted on the calibration trials that the systems share,
            gives log likelihood ratios; or `sum` of standardised scores, as Deep Speaker fuses.
        backend: the back end to fuse; by default each system's main one.

    Raises:
        ValueError: a score file is missing or of other trials, or the systems have been scored on
            different calibration trials.
    """
    tables = {path: read_trial_table(path) for path in find_trial_lists(data_dir).values()}
    systems = [(prefix, backend or find_main_backend(prefix, list(tables))) for prefix in prefixes]
    for prefix, name in systems:
        logging.info("%s by %s", prefix, name)
    if method == "sum":
        fuse = standardised_sum
    else:
        shared = find_calibration_list(prefixes)
        trials = read_trial_table(shared)
        fuse = fit_fusion(read_systems(systems, shared, trials), trials.is_target).llrs
        copied = output.with_name(CALIBRATION_TRIALS)
        with replacing_file(copied) as file:
            file.write(read_utf8(shared))
        tables[copied] = trials
    fused = {path: fuse(read_systems(systems, path, trials)) for path, trials in tables.items()}
    if method == "sum":  # which calibrates nothing
        score_file(output, Path(CALIBRATION_TRIALS), FUSION).unlink(missing_ok=True)
    for trial_list, scores in fused.items():
        fused_file = score_file(output, trial_list, FUSION)
        write_scores(fused_file, tables[trial_list], scores)
        made_of = [score_file(prefix, trial_list, name) for prefix, name in systems]
        note_origins([fused_file], made_of)


def find_main_backend(prefix: Path, trial_lists: Sequence[Path]) -> str:
    """Return the first back end of a system that scored all of the lists."""
    found = [find_score_files(prefix, trial_list) for trial_list in trial_lists]
    common = [name for name in found[0] if all(name in files for files in found)]
    if not common:
        raise ValueError(f"{prefix}: no back end has scored all trial lists: {Stage.SCORES.again}")
    return common[0]


def find_calibration_list(prefixes: Sequence[Path]) -> Path:
    """Return the list of calibration trials that all systems share."""
    lists = [prefix.with_name(CALIBRATION_TRIALS) for prefix in prefixes]
    for path in lists:
        if not path.is_file():
            raise ValueError(
                f"{Stage.SCORES.missing(path)}; where held-out speakers cannot calibrate, fuse by "
                "--method sum"
            )
        if read_utf8(path) != read_utf8(lists[0]):
            raise ValueError(
                f"{path} differs from {lists[0]}: the systems held out other speakers (seed, "
                "held_out): train them alike, or fuse by --method sum"
            )
    return lists[0]


def fit_fusion(scores: np.ndarray, is_target: np.ndarray) -> Calibration:
    """Fit the fusion of systems on scores (trials, systems) of trials whose kinds are known."""
    fusion = fit_calibration(scores, is_target, P_TARGETS[0])
    weights = ", ".join(f"{weight:.4g}" for weight in fusion.weights)
    logging.info("weights %s, offset %.4g", weights, fusion.offset)
    return fusion


def read_systems(
    systems: Sequence[tuple[Path, str]], trial_list: Path, trials: TrialTable
) -> np.ndarray:
    """Return a list's scores by systems, prefix and back end of each: shape (trials, systems)."""
    paths = [score_file(prefix, trial_list, backend) for prefix, backend in systems]
    return np.stack([read_scores(path, trials) for path in paths], axis=1)


def write_scores(path: Path, trials: TrialTable, scores: np.ndarray) -> None:
    """Write the scores (trials,) of a trial list."""
    with replacing_file(path, "wb") as file:
        for start in range(0, len(trials), LINES_AT_ONCE):
            part = slice(start, start + LINES_AT_ONCE)
            columns = trials.enroll[part], trials.test[part], scores[part]
            file.write(format_lines(trials.index, *columns))
