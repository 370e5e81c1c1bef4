"""Scores of trials by the back ends of an experiment (stage 5)."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.config.folders import score_prefix, xvector_dir
from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.corpora.speaker_splits import split_utterances
from deep_speaker.embeddings.held_out import read_held_out
from deep_speaker.embeddings.xvectors import read_unit_vectors
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.scoring.calibration_trials import read_corpora, write_calibration_trials
from deep_speaker.scoring.groups import XVectors, with_groups
from deep_speaker.scoring.score_files import (
    CALIBRATION_TRIALS,
    OWN_BACKENDS,
    format_scores,
    score_file,
)
from deep_speaker.scoring.scorers import Scorer, fit_backends
from deep_speaker.system.files import replacing_file
from deep_speaker.trials.lists import find_trial_lists, iterate_trials
from deep_speaker.trials.models import MODELS, read_models
from deep_speaker.trials.table import find_rows


def score_phase(
    experiment: Experiment, train_dir: Path, test_dir: Path, experiment_dir: Path, phase: str
) -> None:
    """Score every trial list of a test set, and pairs of held-out training speakers, by a phase.

    The back ends are fitted on the other training speakers. Where one cannot be fitted, or those
    held out are too few to calibrate by, a warning says so.

    Args:
        experiment_dir: has the x-vectors of the phase, and gets its scores; see `folders`.

    Raises:
        ValueError: trials or models name what has no vector; Kaldi would skip them.
    """
    prefix = score_prefix(experiment_dir, phase)
    train_xvectors, test_xvectors = (
        xvector_dir(experiment_dir, phase, data_dir) for data_dir in (train_dir, test_dir)
    )
    vectors, utt2spk = read_train_vectors(train_xvectors, train_dir)
    keys = read_test_vectors(test_xvectors, test_dir)
    sizes = next(iter(vectors.values())).shape[0], keys.vectors.shape[1]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"{train_xvectors} has vectors of {sizes[0]} dimensions, {test_xvectors} of "
            f"{sizes[1]}: {Stage.EMBEDDINGS.again}"
        )
    names = read_held_out(train_xvectors, utt2spk, experiment)
    training, held_out = split_utterances(utt2spk, names)
    has_crops = (test_xvectors / "xvector_crops.scp").is_file()
    backends = fit_backends(experiment.scoring, vectors, training, has_crops)

    scorers = {name: backend.scorer(keys, test_xvectors) for name, backend in backends.items()}
    for trial_list in find_trial_lists(test_dir).values():
        score_list(trial_list, keys, scorers, prefix)
    trial_list = prefix.with_name(CALIBRATION_TRIALS)
    if write_calibration_trials(trial_list, held_out, read_corpora(train_dir), experiment.seed):
        keys = with_groups({key: vectors[key] for key in held_out}, {})
        scorers = {name: backend.scorer(keys, train_xvectors) for name, backend in backends.items()}
        score_list(trial_list, keys, scorers, prefix)
    else:
        remove_scores(trial_list, prefix, OWN_BACKENDS)


def check_held_out(
    experiment: Experiment, train_dir: Path, experiment_dir: Path, phases: Iterable[str]
) -> None:
    """Refuse systems that held out different speakers: one list of trials calibrates them all."""
    utt2spk = read_table(train_dir / "utt2spk")
    first: tuple[Path, set[str]] | None = None
    for phase in phases:
        folder = xvector_dir(experiment_dir, phase, train_dir)
        held_out = read_held_out(folder, utt2spk, experiment)
        first = first or (folder, held_out)
        if held_out != first[1]:
            raise ValueError(
                f"{first[0]} and {folder} are of systems that held out different "
                "speakers (seed, held_out changed since): "
                f"{stages_again(Stage.PRETRAINING, Stage.EMBEDDINGS)}"
            )


def read_train_vectors(
    folder: Path, data_dir: Path
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Vectors of the utterances of a training set, and its utt2spk."""
    vectors, utt2spk = read_unit_vectors(folder), read_table(data_dir / "utt2spk")
    lost = utt2spk.keys() - vectors.keys()
    if lost:
        raise ValueError(
            f"{folder}: {len(lost)} utterances of {data_dir} have no vector, first {min(lost)!r}: "
            f"{Stage.EMBEDDINGS.again}"
        )
    return vectors, utt2spk


def read_test_vectors(folder: Path, data_dir: Path) -> XVectors:
    """Vectors of the utterances, models and speakers of a test set.

    Where one name stands for several of them, it is the first in this order.
    """
    vectors = read_unit_vectors(folder)
    models = read_models(data_dir)
    lost = [(key, model) for model, keys in models.items() for key in keys if key not in vectors]
    if lost:
        raise ValueError(
            f"{folder}: {len(lost)} utterances of the models in {data_dir / MODELS} have no "
            f"vector, first {lost[0][0]!r} of {lost[0][1]!r}: mend that table, or "
            f"{Stage.EMBEDDINGS.again}"
        )
    utt2spk = read_table(data_dir / "utt2spk")
    speakers = group_by_speaker({key: utt2spk[key] for key in vectors if key in utt2spk})
    return with_groups(vectors, speakers | models)


def score_list(
    trial_list: Path, keys: XVectors, scorers: Mapping[str, Scorer], prefix: Path
) -> None:
    """Write a list's scores by each back end; earlier ones by others of this recipe go.

    Trials that test an utterance by which they enrol are told of: their scores are too good.
    """
    num_own = 0
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(replacing_file(score_file(prefix, trial_list, name)))
            for name in scorers
        }
        for block in iterate_trials(trial_list):
            enroll, test = find_rows(block.enroll, keys.rows), find_rows(block.test, keys.rows)
            if min(enroll.min(), test.min()) < 0:
                i = int(np.argmax((enroll < 0) | (test < 0)))
                lost = block.enroll[i] if enroll[i] < 0 else block.test[i]
                raise ValueError(
                    f"{trial_list}, line {block.first_line + i}: {lost!r} has no vector in the "
                    f"x-vector directory: mend the list, or {Stage.EMBEDDINGS.again}"
                )
            num_own += int(keys.has_member(enroll, test).sum())
            for name, score in scorers.items():
                scores = score(enroll, test)
                files[name].writelines(format_scores(block.enroll, block.test, scores))
    remove_scores(trial_list, prefix, OWN_BACKENDS - scorers.keys())
    if num_own:
        logging.warning("%s: %d trials test an utterance by which they enrol", trial_list, num_own)


def remove_scores(trial_list: Path, prefix: Path, backends: Iterable[str]) -> None:
    for name in backends:
        score_file(prefix, trial_list, name).unlink(missing_ok=True)
