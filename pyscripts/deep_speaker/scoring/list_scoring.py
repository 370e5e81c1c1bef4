"""Scores of trial lists by the back ends of an experiment."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from deep_speaker.clusters.options import Cluster
from deep_speaker.config import Experiment
from deep_speaker.config.folders import score_prefix, xvector_dir
from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.corpora.speaker_splits import split_utterances
from deep_speaker.embeddings.held_out import read_held_out
from deep_speaker.scoring.calibration_trials import read_corpora, write_calibration_trials
from deep_speaker.scoring.key_vectors import (
    KeyVectors,
    group_vectors,
    read_test_vectors,
    read_train_vectors,
)
from deep_speaker.scoring.list_shards import is_long, score_in_parts
from deep_speaker.scoring.origins import Origin
from deep_speaker.scoring.other_plda import (
    NO_OTHER,
    OtherPlda,
    other_backends,
    write_fitted_plda,
)
from deep_speaker.scoring.score_files import (
    CALIBRATION_TRIALS,
    OWN_BACKENDS,
    format_lines,
    score_file,
)
from deep_speaker.scoring.scorers import (
    FittedBackend,
    Scorer,
    fit_backends,
    unfitted_backends,
)
from deep_speaker.system.files import replacing_files
from deep_speaker.trials.lists import TrialBlock, find_trial_lists, iterate_trials


def score_unfitted(
    experiment: Experiment,
    test_dir: Path,
    experiment_dir: Path,
    phase: str,
    asked: OtherPlda = NO_OTHER,
    cluster: Cluster | None = None,
) -> None:
    """Score every trial list of a test set by a phase, without training speakers to fit on.

    What an earlier run calibrated by is removed. See `score_phase`.
    """
    prefix = score_prefix(experiment_dir, phase)
    folder = xvector_dir(experiment_dir, phase, test_dir)
    keys = read_test_vectors(folder, test_dir)
    backends = unfitted_backends(experiment.scoring, has_crops(folder))
    backends |= other_backends(asked, backends, keys.vectors.shape[1], experiment_dir / phase)
    origin = Origin(experiment, experiment_dir / phase, asked, [folder], [test_dir])
    score_lists(find_trial_lists(test_dir).values(), keys, backends, prefix, origin, cluster)
    drawn = prefix.with_name(CALIBRATION_TRIALS)
    drawn.unlink(missing_ok=True)
    remove_scores(drawn, prefix, OWN_BACKENDS)


def has_crops(folder: Path) -> bool:
    """Tell whether an x-vector directory holds crops."""
    return (folder / "xvector_crops.scp").is_file()


def score_phase(
    experiment: Experiment,
    train_dir: Path,
    test_dir: Path,
    experiment_dir: Path,
    phase: str,
    asked: OtherPlda = NO_OTHER,
    cluster: Cluster | None = None,
) -> None:
    """Score every trial list of a test set, and pairs of held-out training speakers, by a phase.

    The back ends are fitted on the other training speakers. A warning says which cannot be fitted,
    and whether the held-out speakers are too few to calibrate by.

    Args:
        experiment_dir: has the x-vectors of the phase, and gets its scores; see `folders`.
        asked: PLDA to score by beside that of the config.

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
    names = read_held_out(train_xvectors, train_dir, experiment)
    fitted_on, held_out = split_utterances(utt2spk, names)
    backends = fit_backends(experiment.scoring, vectors, fitted_on, has_crops(test_xvectors))
    origin = Origin(
        experiment, experiment_dir / phase, asked, [test_xvectors, train_xvectors],
        [test_dir, train_dir],
    )  # fmt: skip
    write_fitted_plda(experiment_dir / phase, backends, vectors, fitted_on)
    backends |= other_backends(asked, backends, sizes[0], experiment_dir / phase)
    score_lists(find_trial_lists(test_dir).values(), keys, backends, prefix, origin, cluster)
    drawn = prefix.with_name(CALIBRATION_TRIALS)
    if write_calibration_trials(drawn, held_out, read_corpora(train_dir), experiment.seed):
        keys = group_vectors({key: vectors[key] for key in held_out}, {})
        held_out_alone = origin._replace(xvectors=[train_xvectors], data_dirs=[train_dir])
        score_lists([drawn], keys, backends, prefix, held_out_alone)
    else:
        remove_scores(drawn, prefix, OWN_BACKENDS)


def check_held_out_alike(
    experiment: Experiment, train_dir: Path, experiment_dir: Path, phases: Iterable[str]
) -> None:
    """Refuse phases that held out different speakers: one list of trials calibrates them all."""
    first: tuple[Path, set[str]] | None = None
    for phase in phases:
        folder = xvector_dir(experiment_dir, phase, train_dir)
        held_out = read_held_out(folder, train_dir, experiment)
        first = first or (folder, held_out)
        if held_out != first[1]:
            raise ValueError(
                f"{first[0]} and {folder} are of systems that held out different "
                "speakers (seed, held_out changed since): "
                f"{stages_again(Stage.PRETRAINING, Stage.EMBEDDINGS)}"
            )


def score_lists(
    trial_lists: Iterable[Path],
    keys: KeyVectors,
    backends: Mapping[str, FittedBackend],
    prefix: Path,
    origin: Origin,
    cluster: Cluster | None = None,
) -> None:
    """Score trial lists of keys by each back end, and record what the scores are made of.

    Warn about trials that test an utterance by which they enrol: their scores are too good.
    """
    folder = origin.xvectors[0]
    scorers = {name: backend.scorer(keys, folder) for name, backend in backends.items()}
    for trial_list in trial_lists:
        if cluster and is_long(trial_list):
            num_own = score_in_parts(score_list, trial_list, keys, scorers, prefix, cluster)
        else:
            num_own = score_list(trial_list, keys, scorers, prefix)
        remove_scores(trial_list, prefix, OWN_BACKENDS - scorers.keys())
        if num_own:
            logging.warning(
                "%s: %d trials test an utterance by which they enrol", trial_list, num_own
            )
        origin.note(prefix, trial_list, scorers)


def score_list(
    trial_list: Path, keys: KeyVectors, scorers: Mapping[str, Scorer], prefix: Path
) -> int:
    """Write a list's scores by each back end; return how many trials test what they enrol."""
    num_own = 0
    paths = [score_file(prefix, trial_list, name) for name in scorers]
    with replacing_files(*paths, mode="wb") as opened:
        files = dict(zip(scorers, opened, strict=True))
        for block in iterate_trials(trial_list):
            enroll, test = find_keys(block, keys, trial_list)
            num_own += int(keys.has_member(enroll, test).sum())
            for name, score in scorers.items():
                scores = score(enroll, test)
                files[name].write(format_lines(keys.index, enroll, test, scores))
    return num_own


def find_keys(
    block: TrialBlock, keys: KeyVectors, trial_list: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the keys that a block of trials enrols and tests: shape (trials,)."""
    enroll, test = keys.index.find(block.enroll), keys.index.find(block.test)
    if min(enroll.min(), test.min()) < 0:
        i = int(np.argmax((enroll < 0) | (test < 0)))
        lost = block.enroll[i] if enroll[i] < 0 else block.test[i]
        raise ValueError(
            f"{trial_list}, line {block.first_line + i}: {lost!r} has no vector in the "
            f"x-vector directory: mend the list, or {Stage.EMBEDDINGS.again}"
        )
    return enroll, test


def remove_scores(trial_list: Path, prefix: Path, backends: Iterable[str]) -> None:
    """Remove the scores of a list by some back ends, where there are any."""
    for name in backends:
        score_file(prefix, trial_list, name).unlink(missing_ok=True)
