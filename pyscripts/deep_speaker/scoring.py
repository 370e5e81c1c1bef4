"""Cosine scores of trials (stage 5)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep_speaker.archives import ArchiveTable
from deep_speaker.data_dir import missing_input
from deep_speaker.files import replacing_file
from deep_speaker.trials import Trial, read_trials

TRIALS_AT_ONCE = 4096  # rows gathered together stay in the cache


def read_xvectors(folder: Path) -> tuple[dict[str, int], np.ndarray]:
    """Utterances' and speakers' vectors of an x-vector directory.

    Returns:
        Rows by key, utterances before speakers of the same name; and float32 vectors of unit
        length, shape (keys, dim).
    """
    rows: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    for name in ("xvector.scp", "spk_xvector.scp"):
        table = ArchiveTable(folder / name)
        for key in table:
            if key not in rows:
                rows[key] = len(vectors)
                vectors.append(table.rows(key))
    matrix = np.stack(vectors).astype(np.float32)
    return rows, matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def cosine_scores(vectors: np.ndarray, enroll: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Cosines of pairs of rows of unit-length vectors (keys, dim): float32, shape (trials,)."""
    scores = np.empty(len(enroll), dtype=np.float32)
    for start in range(0, len(enroll), TRIALS_AT_ONCE):
        part = slice(start, start + TRIALS_AT_ONCE)
        np.einsum("ij,ij->i", vectors[enroll[part]], vectors[test[part]], out=scores[part])
    return scores


def score_trials(trial_list: Path, xvector_dir: Path, output: Path) -> None:
    """Write `enroll test score` for every trial of a list, in its order.

    Raises:
        ValueError: trials name utterances or speakers without a vector; Kaldi would skip them.
    """
    trials = read_trials(trial_list)
    rows, vectors = read_xvectors(xvector_dir)
    missing = sorted({key for trial in trials for key in trial[:2] if key not in rows})
    if missing:
        count = sum(trial.enroll not in rows or trial.test not in rows for trial in trials)
        raise ValueError(
            f"{trial_list}: {count} of {len(trials)} trials name {len(missing)} ids not in "
            f"{xvector_dir}: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}"
        )
    enroll = np.fromiter((rows[trial.enroll] for trial in trials), np.int64, len(trials))
    test = np.fromiter((rows[trial.test] for trial in trials), np.int64, len(trials))
    scores = cosine_scores(vectors, enroll, test)
    with replacing_file(output) as file:
        file.writelines(
            f"{trial.enroll} {trial.test} {score:.7f}\n"
            for trial, score in zip(trials, scores.tolist(), strict=True)
        )


def read_scores(path: Path, trials: Sequence[Trial]) -> np.ndarray:
    """Scores of trials from a score file: float64, shape (trials,).

    Raises:
        ValueError: the file is missing, a line is not `enroll test score`, or a trial has no
            score.
    """
    if not path.is_file():
        raise ValueError(missing_input(path, 5))
    scores: dict[tuple[str, str], float] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            try:
                enroll, test, score = fields
                scores[enroll, test] = float(score)
            except ValueError:
                raise ValueError(
                    f"{path}, line {number}: expected 'enroll test score', got {line!r}"
                ) from None
    missing = [trial for trial in trials if (trial.enroll, trial.test) not in scores]
    if missing:
        raise ValueError(
            f"{path}: {len(missing)} of {len(trials)} trials have no score, first "
            f"{missing[0].enroll} {missing[0].test}: run stage 5 anew"
        )
    return np.array([scores[trial.enroll, trial.test] for trial in trials])
