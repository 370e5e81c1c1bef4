"""Linear discriminant analysis, for the channel floor and the back ends."""

import numpy as np
import scipy.linalg

# Degrees of freedom per dimension, of a covariance: up to the first it is shrunk in full, from the
# second on not at all. docs/scoring.md has the figures behind these.
SCARCE, PLENTY = 5, 10
LEAST_SHRINKAGE = 1e-9  # keeps a covariance invertible where utterances are copies of each other
BLOCK = 1 << 16  # rows in float64 at once


def fit_lda(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> np.ndarray:
    """Return the directions that tell speakers apart, the best first.

    The within-speaker covariance of all speakers together is shrunk as far as the number of
    utterances asks for, see `shrunk_covariance`. scikit-learn's LDA would shrink that of every
    speaker by itself, and not at all where they have two utterances each.

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
    within = shrunk_covariance(residuals, len(residuals) - int((counts > 1).sum()))
    if not within.any():
        raise ValueError(
            "all utterances of each training speaker have the same x-vector: LDA and PLDA need "
            "them to differ; look at the network's training"
        )
    offsets = means - vectors.mean(axis=0, dtype=np.float64)
    between = (offsets.T * counts) @ offsets / len(vectors)
    dim = min(lda_dim, len(counts) - 1, vectors.shape[1])
    return scipy.linalg.eigh(between, within)[1][:, ::-1][:, :dim]


def shrunk_covariance(residuals: np.ndarray, degrees_of_freedom: int) -> np.ndarray:
    """Return the covariance of residuals, shrunk towards a multiple of I: float64, (dim, dim).

    Shrinkage keeps it from being singular, and its small eigenvalues from being too small, where
    there are few utterances for the dimensions. There it is that of Chen et al. 2010 (Shrinkage
    Algorithms for MMSE Covariance Estimation, OAS, eq. 23). With more it fades, and with many the
    covariance is the plain one, as in Kaldi.

    Args:
        residuals: utterances less the means of their speakers, shape (utterances, dim).
        degrees_of_freedom: utterances less speakers.
    """
    covariance = _second_moment(residuals)
    dim, level = len(covariance), np.trace(covariance) / len(covariance)
    squares = (covariance**2).mean()
    spread = (len(residuals) + 1) * (squares - level**2 / dim)
    intensity = min((squares + level**2) / spread, 1) if spread > 0 else 1
    intensity = np.interp(degrees_of_freedom / dim, (SCARCE, PLENTY), (intensity, LEAST_SHRINKAGE))
    return (1 - intensity) * covariance + intensity * level * np.eye(dim)


def _second_moment(vectors: np.ndarray) -> np.ndarray:
    """Return the mean outer product of vectors (n, dim): summed in float64, by blocks of them."""
    blocks = np.array_split(vectors, len(vectors) // BLOCK + 1)
    return sum(block.T.astype(np.float64) @ block for block in blocks) / len(vectors)


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
