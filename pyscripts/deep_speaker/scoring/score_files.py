"""Score files: `enroll test score`, one for each phase, trial list and back end."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import BACKENDS, read_experiment
from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import iterate_columns
from deep_speaker.trials.table import TrialTable, find_rows

FORM = "enroll test score"
# Pairs of held-out training speakers, beside the scores; those calibrate.
CALIBRATION_TRIALS = "calibration_trials"
FUSION = "fusion"  # how scores end that fuse_scores.py has made of those of others
OWN_BACKENDS = {*BACKENDS, FUSION}
# Beside the scores: the config of stage 5, whose order of back ends counts.
SCORING_CONFIG = "config.yaml"


def score_file(prefix: Path, trial_list: Path, backend: str) -> Path:
    """Where the scores of a trial list lie.

    >>> score_file(Path("scores/finetuning"), Path("test/trials_hard"), "cosine").as_posix()
    'scores/finetuning.trials_hard.cosine'
    """
    return prefix.with_name(f"{prefix.name}.{trial_list.name}.{backend}")


def find_score_files(prefix: Path, trial_list: Path) -> dict[str, Path]:
    """The score files of a trial list, by back end, the main one first.

    They come in the order of the config that scored, then others of this recipe, then scores that
    another program has put there, under a name without a dot.

    Raises:
        ValueError: there is none.
    """
    begin = score_file(prefix, trial_list, "").name
    found = {
        path.name.removeprefix(begin): path
        for path in sorted(prefix.parent.glob(f"{glob.escape(begin)}*"))
        if "." not in path.name.removeprefix(begin)  # else of another list, or unfinished
    }
    if not found:
        raise ValueError(Stage.SCORES.missing(score_file(prefix, trial_list, "*")))
    order = dict.fromkeys([*_configured_backends(prefix.parent), *BACKENDS, *found])
    return {backend: found[backend] for backend in order if backend in found}


def _configured_backends(folder: Path) -> Sequence[str]:
    """The back ends of the config beside scores; none where that is missing, or of another day."""
    try:
        return read_experiment(folder / SCORING_CONFIG).scoring.backends
    except (ValueError, OSError):
        return ()


def format_scores(enroll: Iterable[str], test: Iterable[str], scores: np.ndarray) -> Iterable[str]:
    """Lines of a score file."""
    return map("%s %s %.7f\n".__mod__, zip(enroll, test, scores.tolist(), strict=True))


def read_scores(path: Path, trials: TrialTable) -> np.ndarray:
    """The scores of trials: float64, shape (trials,).

    Those in the order of the list, as stage 5 writes them, are read as they come; others, of which
    there may be more than trials, are looked up.

    Raises:
        ValueError: the file is missing, a line is not `enroll test score`, or a trial has none.
    """
    if not path.is_file():
        raise ValueError(Stage.SCORES.missing(path))
    index = {name: row for row, name in enumerate(trials.names)}
    scores = np.empty(len(trials))
    start = 0
    for enroll, test, values in _iterate_scores(path, index):
        stop = start + len(values)
        of_trials = trials.enroll[start:stop], trials.test[start:stop]
        if not (np.array_equal(enroll, of_trials[0]) and np.array_equal(test, of_trials[1])):
            return _look_up(path, trials, index)
        scores[start:stop] = values
        start = stop
    if start < len(trials):
        return _look_up(path, trials, index)
    return scores


def _iterate_scores(
    path: Path, index: Mapping[str, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield blocks of rows of `index` for enroll and test, -1 of unknown names, and scores."""
    for first, (enroll, test, texts) in iterate_columns(path, FORM):
        try:
            values = np.fromiter(map(float, texts), float, len(texts))
        except ValueError:
            i = next(i for i, text in enumerate(texts) if not _is_number(text))
            raise ValueError(
                f"{path}, line {first + i}: expected '{FORM}', got '{enroll[i]} {test[i]} "
                f"{texts[i]}'"
            ) from None
        yield find_rows(enroll, index), find_rows(test, index), values


def _remedy(path: Path) -> str:
    own = path.name.rpartition(".")[2] in BACKENDS
    return Stage.SCORES.again if own else "mend this file of another program, or remove it"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _look_up(path: Path, trials: TrialTable, index: Mapping[str, int]) -> np.ndarray:
    """Scores of trials from a file in any order."""
    below_all = np.full(1, -1, np.int32), np.full(1, -1, np.int32), np.zeros(1)
    blocks = [below_all, *_iterate_scores(path, index)]
    enroll, test, values = map(np.concatenate, zip(*blocks, strict=True))
    pairs = enroll.astype(np.int64) * len(index) + test
    pairs[(enroll < 0) | (test < 0)] = -1  # pairs of unknown names are all one, below those known
    order = np.argsort(pairs, kind="stable")
    pairs, values = pairs[order], values[order]
    differs = (pairs[1:] == pairs[:-1]) & (values[1:] != values[:-1])
    twice = np.flatnonzero(differs & (pairs[1:] >= 0))
    if len(twice):
        enroll_row, test_row = divmod(int(pairs[twice[0]]), len(index))
        raise ValueError(
            f"{path}: '{trials.names[enroll_row]} {trials.names[test_row]}' has several scores: "
            f"{_remedy(path)}"
        )
    wanted = trials.enroll.astype(np.int64) * len(index) + trials.test
    place = np.searchsorted(pairs, wanted, side="right") - 1
    missing = pairs[place] != wanted
    if missing.any():
        i = int(np.argmax(missing))
        raise ValueError(
            f"{path}: {missing.sum()} of {len(trials)} trials have no score, first "
            f"{trials.names[trials.enroll[i]]} {trials.names[trials.test[i]]}: {_remedy(path)}"
        )
    return values[place]
