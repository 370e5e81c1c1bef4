"""Score files: `enroll test score`, one for each phase, trial list and back end."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import BACKENDS, read_experiment
from deep_speaker.config.folders import CONFIG
from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.columns import iterate_columns
from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.kaldi.words import Words
from deep_speaker.scoring.score_texts import format_scores, is_score, parse_scores
from deep_speaker.trials.table import TrialTable

SCORE_FORM = "enroll test score"
# The list of pairs of held-out training speakers, beside the scores: they calibrate.
CALIBRATION_TRIALS = "calibration_trials"
FUSION = "fusion"  # the end of the names of scores that fuse_scores.py makes
# PLDA of --backend-dir, and that of the config and this one adapted by --adaptation-set.
GIVEN_PLDA = "given_plda"
ADAPTED_PLDA, ADAPTED_GIVEN_PLDA = "adapted_plda", "adapted_given_plda"
STAGE_5_BACKENDS = {*BACKENDS, GIVEN_PLDA, ADAPTED_PLDA, ADAPTED_GIVEN_PLDA}
OWN_BACKENDS = {*STAGE_5_BACKENDS, FUSION}


def score_file(prefix: Path, trial_list: Path, backend: str) -> Path:
    """Return the path of the scores of a trial list.

    >>> score_file(Path("scores/finetuning"), Path("test/trials_hard"), "cosine").as_posix()
    'scores/finetuning.trials_hard.cosine'
    """
    return prefix.with_name(f"{prefix.name}.{trial_list.name}.{backend}")


def find_score_files(prefix: Path, trial_list: Path) -> dict[str, Path]:
    """Return the score files of a trial list, by back end, the main one first.

    First come those of the config that scored, in its order, then others of this recipe, then those
    that another program has put there under a name without a dot.

    Raises:
        ValueError: there is none.
    """
    begin = score_file(prefix, trial_list, "").name
    found = {
        path.name.removeprefix(begin): path
        for path in sorted(prefix.parent.glob(f"{glob.escape(begin)}*"))
        if "." not in path.name.removeprefix(begin)  # others are of another list, or unfinished
    }
    if not found:
        raise ValueError(Stage.SCORES.missing(score_file(prefix, trial_list, "*")))
    order = dict.fromkeys([*configured_backends(prefix.parent), *BACKENDS, *found])
    return {backend: found[backend] for backend in order if backend in found}


def configured_backends(folder: Path) -> Sequence[str]:
    """Return the back ends of the config beside scores; none where it cannot be read."""
    try:
        return read_experiment(folder / CONFIG).scoring.backends
    except (ValueError, OSError):
        return ()


def format_lines(keys: KeyRows, enroll: np.ndarray, test: np.ndarray, scores: np.ndarray) -> bytes:
    """Return the lines of a score file.

    Args:
        enroll: rows of the keys, shape (trials,).
        test: likewise.
        scores: shape (trials,).
    """
    texts = format_scores(scores).view(np.uint8).reshape(len(scores), -1)
    space, end = (np.full((len(scores), 1), octet, np.uint8) for octet in b" \n")
    lines = [keys.padded(enroll), space, keys.padded(test), space, texts, end]
    return np.concatenate(lines, axis=1).tobytes().translate(None, b"\0")


def read_scores(path: Path, trials: TrialTable) -> np.ndarray:
    """Read the scores of trials: float64, shape (trials,).

    A file in the order of the list, as stage 5 writes it, is read as it comes. In any other, which
    may hold more than the trials, the scores are looked up.

    Raises:
        ValueError: the file is missing, a line is not `enroll test score`, or a trial has none.
    """
    if not path.is_file():
        raise ValueError(Stage.SCORES.missing(path))
    scores = np.empty(len(trials))
    start = 0
    for enroll, test, values in _iterate_scores(path):
        stop = start + len(values)
        is_next = trials.index.have(enroll, trials.enroll[start:stop])
        if not (is_next and trials.index.have(test, trials.test[start:stop])):
            return _look_up(path, trials)
        scores[start:stop] = values
        start = stop
    if start < len(trials):
        return _look_up(path, trials)
    return scores


def _iterate_scores(path: Path) -> Iterator[tuple[Words, Words, np.ndarray]]:
    """Yield blocks of a file: enroll and test, and scores, float64 (lines,)."""
    for first, (enroll, test, texts) in iterate_columns(path, SCORE_FORM):
        try:
            values = parse_scores(texts)
        except ValueError:
            i = next(i for i, text in enumerate(texts.tolist()) if not is_score(text))
            raise ValueError(
                f"{path}, line {first + i}: expected '{SCORE_FORM}', got '{enroll[i]} {test[i]} "
                f"{texts[i]}'"
            ) from None
        yield enroll, test, values


def _remedy(path: Path) -> str:
    """Say how to mend a score file: by stage 5, or by hand."""
    own = path.name.rpartition(".")[2] in STAGE_5_BACKENDS
    return Stage.SCORES.again if own else "mend this file of another program, or remove it"


def _look_up(path: Path, trials: TrialTable) -> np.ndarray:
    """Look up the scores of trials in a file of any order."""
    find, num_names = trials.index.find, len(trials.names)
    below_all = np.full(1, -1, np.int32), np.full(1, -1, np.int32), np.zeros(1)
    found = ((find(enroll), find(test), values) for enroll, test, values in _iterate_scores(path))
    enroll, test, values = map(np.concatenate, zip(below_all, *found, strict=True))
    pairs = enroll.astype(np.int64) * num_names + test
    pairs[(enroll < 0) | (test < 0)] = -1  # pairs of unknown names count as one, below all others
    order = np.argsort(pairs, kind="stable")
    pairs, values = pairs[order], values[order]
    differs = (pairs[1:] == pairs[:-1]) & (values[1:] != values[:-1])
    twice = np.flatnonzero(differs & (pairs[1:] >= 0))
    if len(twice):
        enroll_row, test_row = divmod(int(pairs[twice[0]]), num_names)
        raise ValueError(
            f"{path}: '{trials.names[enroll_row]} {trials.names[test_row]}' has several scores: "
            f"{_remedy(path)}"
        )
    wanted = trials.enroll.astype(np.int64) * num_names + trials.test
    place = np.searchsorted(pairs, wanted, side="right") - 1
    missing = pairs[place] != wanted
    if missing.any():
        i = int(np.argmax(missing))
        raise ValueError(
            f"{path}: {missing.sum()} of {len(trials)} trials have no score, first "
            f"{trials.names[trials.enroll[i]]} {trials.names[trials.test[i]]}: {_remedy(path)}"
        )
    return values[place]
