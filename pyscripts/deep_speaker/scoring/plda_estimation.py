"""The estimation of `Plda` by EM, after Kaldi's PldaEstimator."""

import numpy as np
import scipy.linalg

from deep_speaker.embeddings.lda import speaker_means
from deep_speaker.scoring.plda import Plda

NUM_ITERATIONS = 10  # of EM: Kaldi's default


def fit_plda(
    vectors: np.ndarray, speakers: np.ndarray, num_iterations: int = NUM_ITERATIONS
) -> Plda:
    """Estimate both covariances by EM over the speakers' means, as Kaldi's PldaEstimator.

    Both start as I, and `mean` is that of the speakers, all of one weight. Kaldi inverts matrices
    for every number of utterances; this diagonalises both covariances together once per iteration,
    and needs no between-speaker covariance of full rank.

    Args:
        vectors: shape (utterances, dim).
        speakers: codes from 0 on without a gap, shape (utterances,).
    """
    means, counts = speaker_means(vectors, speakers)
    residuals = vectors - means[speakers]
    scatter = residuals.T @ residuals
    mean = means.mean(axis=0)
    transform, psi = np.eye(vectors.shape[1]), np.ones(vectors.shape[1])
    for _ in range(num_iterations):
        projected = (means - mean) @ transform.T
        within, between = _expected_covariances(
            projected, transform @ scatter @ transform.T, counts, psi
        )
        psi, basis = scipy.linalg.eigh(between, within)
        psi, transform = np.maximum(psi[::-1], 0), basis[:, ::-1].T @ transform
    return Plda(mean, transform, psi)


def _expected_covariances(
    means: np.ndarray, scatter: np.ndarray, counts: np.ndarray, psi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of EM from covariances I and diag(psi); return those within and between.

    A mean m of n vectors is x + y, with x ~ N(0, psi) and y ~ N(0, I / n); given m, both have the
    variance psi / (n psi + 1), and x the mean n psi / (n psi + 1) m (GetStatsFromClassMeans).
    """
    column = counts[:, None]
    variances = psi / (column * psi + 1)  # (speakers, dim)
    of_speaker = column * variances * means
    of_noise = means - of_speaker
    between = np.diag(variances.sum(axis=0)) + of_speaker.T @ of_speaker
    within = scatter + np.diag(counts @ variances) + (column * of_noise).T @ of_noise
    return within / counts.sum(), between / len(counts)
