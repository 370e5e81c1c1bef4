"""Fusion of systems: of their embeddings, or of their scores."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.held_out import read_noted
from deep_speaker.embeddings.xvectors import at_unit_length, read_unit_vectors, write_xvectors
from deep_speaker.kaldi.tables import read_table
from deep_speaker.metrics.detection_costs import P_TARGETS
from deep_speaker.scoring.calibration import fit_calibration, standardised_sum
from deep_speaker.scoring.score_files import (
    CALIBRATION_TRIALS,
    FUSION,
    find_score_files,
    format_scores,
    read_scores,
    score_file,
)
from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.trials.lists import find_trial_lists
from deep_speaker.trials.table import TrialTable, read_trial_table

TRIALS_AT_ONCE = 1 << 16


def fuse_xvectors(
    data_dir: Path, folders: Sequence[Path], output: Path, method: str = "concatenation"
) -> None:
    """Write an x-vector directory of several systems' embeddings of a data directory.

    Args:
        method: `concatenation`, whose cosine is the mean of the systems' cosines; or `sum`, as
            Deep Speaker fuses (Li et al. 2017), of systems of one dimension.

    Raises:
        ValueError: the systems have not the same utterances, or `sum` not the same dimensions.
    """
    systems = [read_unit_vectors(folder) for folder in folders]
    for folder, system in zip(folders, systems, strict=True):
        if system.keys() != systems[0].keys():
            key = min(system.keys() ^ systems[0].keys())
            raise ValueError(
                f"{folder} has not the utterances of {folders[0]}, first {key!r}: fuse systems of "
                "one data directory"
            )
    stacked = [np.stack([system[key] for key in systems[0]]) for system in systems]
    sizes = {vectors.shape[1] for vectors in stacked}
    if method == "sum" and len(sizes) > 1:
        raise ValueError(
            f"embeddings of {sorted(sizes)} dimensions have no sum: fuse by --method concatenation"
        )
    fused = np.sum(stacked, axis=0) if method == "sum" else np.concatenate(stacked, axis=1)
    embeddings = dict(zip(systems[0], at_unit_length(fused), strict=True))
    utt2spk = read_table(data_dir / "utt2spk")
    unknown = embeddings.keys() - utt2spk.keys()
    if unknown:
        raise ValueError(
            f"{folders[0]}: {min(unknown)!r} is not in {data_dir}: name the data directory that "
            "was embedded there"
        )
    held_out = [read_noted(folder) for folder in folders]
    if any(names != held_out[0] for names in held_out):
        raise ValueError(
            f"{', '.join(map(str, folders))}: the systems held out different speakers (seed, "
            "held_out): train them alike"
        )
    write_xvectors(output, embeddings, utt2spk, held_out[0] or ())
    logging.info("%d utterances of %d systems: %s", len(embeddings), len(folders), method)


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
        method: `regression`, logistic, trained on the calibration trials that the systems share,
            gives log likelihood ratios; or `sum` of standardised scores, as Deep Speaker fuses.
        backend: whose scores; by default those of each system's main back end.

    Raises:
        ValueError: a score file is missing or of other trials, or the systems have been scored on
            different calibration trials.
    """

    tables = {path: read_trial_table(path) for path in find_trial_lists(data_dir).values()}
    backends = [backend or _main_backend(prefix, list(tables)) for prefix in prefixes]
    for prefix, name in zip(prefixes, backends, strict=True):
        logging.info("%s by %s", prefix, name)

    def read(trial_list: Path, trials: TrialTable) -> np.ndarray:
        systems = zip(prefixes, backends, strict=True)
        paths = [score_file(prefix, trial_list, name) for prefix, name in systems]
        return np.stack([read_scores(path, trials) for path in paths], axis=1)

    if method == "sum":
        fused = {path: standardised_sum(read(path, trials)) for path, trials in tables.items()}
        score_file(output, Path(CALIBRATION_TRIALS), FUSION).unlink(missing_ok=True)
    else:
        shared = _calibration_list(prefixes)
        trials = read_trial_table(shared)
        fusion = fit_calibration(read(shared, trials), trials.is_target, P_TARGETS[0])
        copied = output.with_name(CALIBRATION_TRIALS)
        with replacing_file(copied) as file:
            file.write(read_utf8(shared))
        tables[copied] = trials
        fused = {path: fusion.llrs(read(path, trials)) for path, trials in tables.items()}
        weights = ", ".join(f"{weight:.4g}" for weight in fusion.weights)
        logging.info("weights %s, offset %.4g", weights, fusion.offset)
    _write(tables, fused, output)


def _main_backend(prefix: Path, trial_lists: Sequence[Path]) -> str:
    """The first back end that scored all of the lists."""
    found = [find_score_files(prefix, trial_list) for trial_list in trial_lists]
    common = [name for name in found[0] if all(name in files for files in found)]
    if not common:
        raise ValueError(f"{prefix}: no back end has scored all trial lists: {Stage.SCORES.again}")
    return common[0]


def _calibration_list(prefixes: Sequence[Path]) -> Path:
    lists = [prefix.with_name(CALIBRATION_TRIALS) for prefix in prefixes]
    for path in lists:
        if not path.is_file():
            raise ValueError(
                f"{Stage.SCORES.missing(path)}; where held-out speakers cannot calibrate, fuse by "
                "--method sum"
            )
        if read_utf8(path) != read_utf8(lists[0]):
            raise ValueError(
                f"{path} is not {lists[0]}: the systems held out other speakers (seed, held_out): "
                "train them alike, or fuse by --method sum"
            )
    return lists[0]


def _write(
    tables: Mapping[Path, TrialTable], fused: Mapping[Path, np.ndarray], output: Path
) -> None:
    for trial_list, scores in fused.items():
        trials = tables[trial_list]
        with replacing_file(score_file(output, trial_list, FUSION)) as file:
            for start in range(0, len(trials), TRIALS_AT_ONCE):
                part = slice(start, start + TRIALS_AT_ONCE)
                enroll, test = (
                    [trials.names[i] for i in side[part].tolist()]
                    for side in (trials.enroll, trials.test)
                )
                file.writelines(format_scores(enroll, test, scores[part]))
