"""What a model that leaves the recipe takes along: its back end, and decisions by its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.config.folders import score_prefix, xvector_dir
from deep_speaker.corpora.speaker_splits import split_utterances
from deep_speaker.embeddings.held_out import read_held_out
from deep_speaker.kaldi.tables import read_table
from deep_speaker.scoring.calibration import fit_calibration
from deep_speaker.scoring.calibration_trials import corpus_of, read_corpora
from deep_speaker.scoring.decision_table import EVEN, DecisionTable, measure_decisions
from deep_speaker.scoring.key_vectors import read_train_vectors
from deep_speaker.scoring.score_files import CALIBRATION_TRIALS, read_scores, score_file
from deep_speaker.scoring.scorers import choose_backends, fit_backends
from deep_speaker.scoring.transforms import COSINE
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.trials.table import TrialTable, read_trial_table


def learn_backend(
    experiment: Experiment, experiment_dir: Path, phase: str, train_dir: Path
) -> tuple[str, VectorBackend]:
    """Return the main back end of an experiment, fitted on its training x-vectors, and its name.

    Cosine, where that is by crops, or where there are no training x-vectors.
    """
    name = choose_backends(experiment.scoring, has_crops=False)[0]
    folder = xvector_dir(experiment_dir, phase, train_dir)
    if name == "cosine" or not folder.is_dir():
        return "cosine", VectorBackend(COSINE, None, experiment.scoring.cohort_size)
    vectors, utt2spk = read_train_vectors(folder, train_dir)
    fitted_on, _ = split_utterances(utt2spk, read_held_out(folder, train_dir, experiment))
    options = experiment.scoring.model_copy(update={"backends": (name,)})
    backend = fit_backends(options, vectors, fitted_on, has_crops=False)[name]
    assert isinstance(backend, VectorBackend)
    return name, backend


def learn_decisions(
    experiment_dir: Path, phase: str, backend: str, train_dir: Path
) -> DecisionTable | None:
    """Measure decisions by the scores of held-out training speakers; None where there are none.

    Raises:
        ValueError: the scores are not those of the trials, or rise for different speakers.
    """
    prefix = score_prefix(experiment_dir, phase)
    trial_list = prefix.with_name(CALIBRATION_TRIALS)
    path = score_file(prefix, trial_list, backend)
    if not path.is_file() or not trial_list.is_file():
        return None
    trials = read_trial_table(trial_list)
    scores = read_scores(path, trials)
    utt2spk = read_table(train_dir / "utt2spk")
    shares = balance_corpora(trials, utt2spk, read_corpora(train_dir))
    fitted = fit_calibration(scores[:, None], trials.is_target, EVEN, shares)
    weight = fitted.weights[0]
    if weight <= 0:
        raise ValueError(
            f"{path}: scores of one speaker are no higher than those of two: no decision can be "
            "learnt of them; train longer, or on more speakers"
        )
    speakers = {utt2spk[name] for name in trials.names}
    return measure_decisions(
        backend, scores, trials.is_target, shares, (weight, fitted.offset), len(speakers)
    )


def balance_corpora(
    trials: TrialTable, utt2spk: Mapping[str, str], corpora: Sequence[str]
) -> np.ndarray:
    """Return how much each trial counts within its class: shape (trials,).

    Each corpus alike, so that the one with most pairs does not set the threshold of all: scores of
    different speakers are higher where all were recorded alike, or spoke the same words.

    Args:
        corpora: prefixes of ids; pairs lie within a corpus.
    """
    numbers = {name: number for number, name in enumerate(corpora)}
    of_name = np.array(
        [numbers.get(corpus_of(utt2spk[name], corpora), -1) for name in trials.names]
    )
    kinds = 2 * of_name[trials.enroll] + trials.is_target
    _, kind, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    shares: np.ndarray = 1 / counts[kind]
    return shares
