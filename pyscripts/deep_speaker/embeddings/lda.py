"""Linear discriminant analysis, for the channel floor and the back ends."""

import numpy as np
import scipy.linalg
from sklearn.covariance import oas


def fit_lda(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> np.ndarray:
    """Return the directions that tell speakers apart, the best first.

    The within-speaker covariance of all speakers together is shrunk towards a multiple of I (Chen
    et al. 2010, Shrinkage Algorithms for MMSE Covariance Estimation), so that it can be inverted
    with fewer utterances than dimensions. scikit-learn's LDA would shrink that of every speaker
    by itself, and not at all where they have two utterances each.

    Args:
        vectors: shape (utterances, dim).
        speakers: codes from 0 on without a gap, shape (utterances,).

    Returns:
        float64, shape (dim, min(lda_dim, speakers - 1, dim)); within-speaker covariance I.

    Raises:
        ValueError: there is one speaker, or nobody has two utterances that differ.
    """
    means, counts = speaker_means(vectors, speakers)
    if len(counts) < 2 or counts.max() < 2:
        raise ValueError(
            f"{len(counts)} training speakers with at most {counts.max()} utterances: LDA and PLDA "
            "need 2 speakers or more, and one of them with 2 utterances or more"
        )
    repeated = counts[speakers] > 1
    residuals = vectors[repeated] - means.astype(np.float32)[speakers[repeated]]
    within, _ = oas(residuals, assume_centered=True)
    if not within.any():
        raise ValueError(
            "all utterances of each training speaker have the same x-vector: LDA and PLDA need "
            "them to differ; look at the network's training"
        )
    offsets = means - vectors.mean(axis=0, dtype=np.float64)
    between = (offsets.T * counts) @ offsets / len(vectors)
    dim = min(lda_dim, len(counts) - 1, vectors.shape[1])
    return scipy.linalg.eigh(between, within)[1][:, ::-1][:, :dim]


def speaker_means(vectors: np.ndarray, speakers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each speaker's mean vector, float64 (speakers, dim), and number of vectors.

    Args:
        vectors: shape (utterances, dim).
        speakers: codes from 0 on without a gap, shape (utterances,).
    """
    counts = np.bincount(speakers)
    ordered = vectors[np.argsort(speakers, kind="stable")]
    sums = np.add.reduceat(ordered, np.cumsum(counts) - counts, axis=0, dtype=np.float64)
    return sums / counts[:, None], counts
