"""Scores of trials by cosines of embeddings, or by distances of their crops (stage 5)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, product
from pathlib import Path

import numpy as np

from deep_speaker.archives import ArchiveTable
from deep_speaker.files import replacing_file
from deep_speaker.tables import missing_input, read_table
from deep_speaker.trials import MODELS, Trial, read_trials

BACKENDS = ("cosine", "crop_distance")
TRIALS_AT_ONCE = 4096  # rows gathered together stay in the cache
CROP_TRIALS_AT_ONCE = 64  # likewise, with ten crops each


def read_xvectors(
    folder: Path, models: Mapping[str, Sequence[str]] = {}
) -> tuple[dict[str, int], np.ndarray]:
    """Vectors of an x-vector directory: of utterances, of models made of them, and of speakers.

    Args:
        models: utterances by model. Its vector is the mean of theirs, each at unit length, as
            Kaldi's ivector-mean gives.

    Returns:
        Rows by key, of the first in the above order where one name stands for several things; and
        float32 vectors of unit length, shape (keys, dim).
    """
    keys, vectors = _read_unit_vectors(folder / "xvector.scp")
    rows = {key: i for i, key in enumerate(keys)}
    _check_models(models, rows, folder)
    means = [vectors[[rows[key] for key in members]].mean(axis=0) for members in models.values()]
    of_models = _at_unit_length(np.reshape(means, (-1, vectors.shape[1])))
    speakers, of_speakers = _read_unit_vectors(folder / "spk_xvector.scp")
    for i, key in enumerate(chain(models, speakers), len(keys)):
        rows.setdefault(key, i)
    return rows, np.concatenate([vectors, of_models, of_speakers])


def _read_unit_vectors(scp: Path) -> tuple[list[str], np.ndarray]:
    table = ArchiveTable(scp)
    return list(table), _at_unit_length(np.stack([table.rows(key) for key in table]))


def _at_unit_length(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32, copy=False)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _check_models(
    models: Mapping[str, Sequence[str]], utterances: Collection[str], folder: Path
) -> None:
    lost = [(key, model) for model, keys in models.items() for key in keys if key not in utterances]
    if lost:
        raise ValueError(
            f"{folder}: {len(lost)} utterances of the models in {MODELS} have no vector, first "
            f"{lost[0][0]!r} of {lost[0][1]!r}: mend that table, or run stage 4 anew"
        )


def cosine_scores(vectors: np.ndarray, enroll: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Cosines of pairs of rows of unit-length vectors (keys, dim): float32, shape (trials,)."""
    scores = np.empty(len(enroll), dtype=np.float32)
    for start in range(0, len(enroll), TRIALS_AT_ONCE):
        part = slice(start, start + TRIALS_AT_ONCE)
        np.einsum("ij,ij->i", vectors[enroll[part]], vectors[test[part]], out=scores[part])
    return scores


def read_crops(
    folder: Path, models: Mapping[str, Sequence[str]] = {}
) -> tuple[dict[str, list[int]], np.ndarray]:
    """Crops of the utterances of an x-vector directory, for `crop_distance_scores`.

    Returns:
        Rows by key: an utterance's, and those of all utterances of a model or a speaker, of the
        first in this order where one name stands for several; and float32 crops of unit length,
        shape (utterances, crops, dim).
    """
    table = ArchiveTable(folder / "xvector_crops.scp")
    row = {utterance: i for i, utterance in enumerate(table)}
    _check_models(models, row, folder)
    speakers = read_table(folder / "spk2utt")
    members = {speaker: keys.split() for speaker, keys in speakers.items()} | dict(models)
    rows = {name: [row[key] for key in keys] for name, keys in members.items()}
    rows |= {utterance: [i] for utterance, i in row.items()}
    return rows, np.stack([table.rows(utterance) for utterance in table])


def crop_distance_scores(crops: np.ndarray, enroll: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Minus the mean Euclidean distance over all pairs of crops of two utterances.

    As voxceleb_trainer scores. Of unit vectors |a - b|^2 = 2 - 2 ab, so that a matrix product
    gives all distances of a trial.

    Args:
        crops: float32 of unit length, shape (utterances, crops, dim).
        enroll: rows of `crops`, shape (trials,).
        test: likewise.

    Returns:
        float32 from -2 to 0, shape (trials,).
    """
    scores = np.empty(len(enroll), dtype=np.float32)
    # Gathering into the same memory again and again takes a third of the time of asking for more.
    buffers = np.empty((2, CROP_TRIALS_AT_ONCE, *crops.shape[1:]), dtype=np.float32)
    for start in range(0, len(enroll), CROP_TRIALS_AT_ONCE):
        part = slice(start, start + CROP_TRIALS_AT_ONCE)
        of_enroll, of_test = buffers[:, : len(enroll[part])]
        np.take(crops, enroll[part], axis=0, out=of_enroll, mode="clip")
        np.take(crops, test[part], axis=0, out=of_test, mode="clip")
        cosines = of_enroll @ of_test.transpose(0, 2, 1)
        distances = np.sqrt(np.maximum(2 - 2 * cosines, 0))  # (trials, crops, crops)
        scores[part] = -distances.mean(axis=(1, 2))
    return scores


def score_by_crops(
    trials: Sequence[Trial], rows: Mapping[str, Sequence[int]], crops: np.ndarray
) -> np.ndarray:
    """Crop-distance scores of trials: float64, shape (trials,).

    All crops of all utterances of a speaker or model count. As utterances have equally many, that
    is the mean over the pairs of utterances.

    Args:
        rows, crops: see `read_crops`.
    """
    sides = [(rows[trial.enroll], rows[trial.test]) for trial in trials]
    pairs = np.array([pair for side in sides for pair in product(*side)])
    counts = np.array([len(enroll) * len(test) for enroll, test in sides])
    scores = crop_distance_scores(crops, pairs[:, 0], pairs[:, 1])
    return np.add.reduceat(scores, np.cumsum(counts) - counts, dtype=np.float64) / counts


def score_by_cosine(
    trials: Sequence[Trial], rows: Mapping[str, int], vectors: np.ndarray
) -> np.ndarray:
    """Cosine scores of trials: float32, shape (trials,).

    Args:
        rows, vectors: see `read_xvectors`.
    """
    enroll = np.fromiter((rows[trial.enroll] for trial in trials), np.int64, len(trials))
    test = np.fromiter((rows[trial.test] for trial in trials), np.int64, len(trials))
    return cosine_scores(vectors, enroll, test)


def score_file(prefix: Path, trial_list: Path, backend: str = BACKENDS[0]) -> Path:
    """Where the scores of a trial list lie.

    >>> score_file(Path("scores/finetuning"), Path("test/trials_hard")).as_posix()
    'scores/finetuning.trials_hard.cosine'
    """
    return prefix.with_name(f"{prefix.name}.{trial_list.name}.{backend}")


def find_scores(prefix: Path, trial_list: Path) -> tuple[str, Path]:
    """The backend that scored a trial list last, and its file.

    Raises:
        ValueError: none did.
    """
    files = {backend: score_file(prefix, trial_list, backend) for backend in BACKENDS}
    for backend, path in files.items():
        if path.is_file():
            return backend, path
    raise ValueError(missing_input(files[BACKENDS[0]], 5))


def score_trials(
    trial_lists: Iterable[Path],
    xvector_dir: Path,
    prefix: Path,
    models: Mapping[str, Sequence[str]] = {},
) -> None:
    """Write `enroll test score` for every trial of each list, in its order, to its `score_file`.

    By crop distance where the x-vector directory holds crops, else by cosine; scores of the other
    backend are removed.

    Args:
        models: utterances of the enrolment models, see `read_xvectors` and `score_by_crops`.

    Raises:
        ValueError: trials or models name what has no vector; Kaldi would skip them.
    """
    backend, keys, score = _choose_backend(xvector_dir, models)
    for trial_list in trial_lists:
        trials = read_trials(trial_list)
        _check_keys(trial_list, trials, keys, xvector_dir)
        scores = score(trials)
        with replacing_file(score_file(prefix, trial_list, backend)) as file:
            file.writelines(
                f"{trial.enroll} {trial.test} {score:.7f}\n"
                for trial, score in zip(trials, scores.tolist(), strict=True)
            )
        for other in set(BACKENDS) - {backend}:
            score_file(prefix, trial_list, other).unlink(missing_ok=True)


def _choose_backend(
    xvector_dir: Path, models: Mapping[str, Sequence[str]]
) -> tuple[str, Collection[str], Callable[[Sequence[Trial]], np.ndarray]]:
    """The backend that an x-vector directory is for, the keys in it, and what scores trials."""
    if (xvector_dir / "xvector_crops.scp").is_file():
        crop_rows, crops = read_crops(xvector_dir, models)
        return "crop_distance", crop_rows, partial(score_by_crops, rows=crop_rows, crops=crops)
    rows, vectors = read_xvectors(xvector_dir, models)
    return "cosine", rows, partial(score_by_cosine, rows=rows, vectors=vectors)


def _check_keys(
    trial_list: Path, trials: Sequence[Trial], keys: Collection[str], xvector_dir: Path
) -> None:
    missing = sorted({key for trial in trials for key in trial[:2] if key not in keys})
    if missing:
        count = sum(trial.enroll not in keys or trial.test not in keys for trial in trials)
        raise ValueError(
            f"{trial_list}: {count} of {len(trials)} trials name {len(missing)} ids not in "
            f"{xvector_dir}: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}"
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
