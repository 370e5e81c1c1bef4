"""The distances of crops as scores, as in voxceleb_trainer."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.kaldi.archives import ArchiveTable

CROP_TRIALS_AT_ONCE = 64  # their rows, gathered together, stay in the cache


def read_crops(folder: Path, utterances: Sequence[str]) -> np.ndarray:
    """Read the crops of utterances from an x-vector directory.

    Returns:
        float32 of unit length, shape (utterances, crops, dim).
    """
    table = ArchiveTable(folder / "xvector_crops.scp", utterances)
    crops = [at_unit_length(table.rows(utterance)) for utterance in utterances]
    return np.stack(crops, dtype=np.float32)  # those of another program may be double


def crop_distance_scores(crops: np.ndarray, enroll: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return minus the mean Euclidean distance over all pairs of crops of two utterances.

    For unit vectors |a - b|^2 = 2 - 2 ab, so one matrix product gives all distances of a trial.

    Args:
        crops: float32 of unit length, shape (utterances, crops, dim).
        enroll: rows of `crops`, shape (trials,).
        test: likewise.

    Returns:
        float32 from -2 to 0, shape (trials,).
    """
    scores = np.empty(len(enroll), dtype=np.float32)
    # Gathering into the same memory again takes a third of the time of asking for more.
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
    enroll: np.ndarray, test: np.ndarray, *, crops: np.ndarray, members: Sequence[Sequence[int]]
) -> np.ndarray:
    """Score pairs of keys by the distances of their crops: float64, shape (trials,).

    All crops of all utterances of a speaker or model count. Since utterances have equally many,
    that is the mean over pairs of utterances.

    Args:
        enroll: rows of `members`, shape (trials,).
        test: likewise.
        crops: see `read_crops`.
        members: rows of `crops`, the utterances behind each key.
    """
    both = [(members[i], members[j]) for i, j in zip(enroll, test, strict=True)]
    pairs = np.array([pair for of_trial in both for pair in product(*of_trial)])
    counts = np.array([len(of_enroll) * len(of_test) for of_enroll, of_test in both])
    scores = crop_distance_scores(crops, pairs[:, 0], pairs[:, 1])
    return np.add.reduceat(scores, np.cumsum(counts) - counts, dtype=np.float64) / counts
