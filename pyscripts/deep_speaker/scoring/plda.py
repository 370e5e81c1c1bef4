"""Probabilistic linear discriminant analysis, after Kaldi's `ivector/plda.cc`.

An utterance's vector is its speaker's, drawn with the between-speaker covariance, plus noise drawn
with the within-speaker covariance (Ioffe 2006, Probabilistic Linear Discriminant Analysis, ECCV).
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from deep_speaker.embeddings.lda import speaker_means
from deep_speaker.scoring.pair_terms import PairTerms

NUM_ITERATIONS = 10  # of EM: Kaldi's default


class Plda(NamedTuple):
    """`transform @ (vector - mean)` has within-speaker covariance I and between-speaker diag(psi).

    Shapes (dim,), (dim, dim) and (dim,), float64; psi falls.
    """

    mean: np.ndarray
    transform: np.ndarray
    psi: np.ndarray


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


def to_latent(plda: Plda, vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Map vectors to where the covariances are I and diag(psi), at the length expected there.

    As Kaldi's TransformIvector with its defaults: a mean u of n utterances has the covariance
    C = psi + I / n, so u C^-1 u is made equal to the dimension.

    Args:
        vectors: shape (keys, dim).
        counts: utterances behind each, shape (keys,).
    """
    latent = (vectors - plda.mean) @ plda.transform.T
    covariance = plda.psi + 1 / counts[:, None]
    lengths = np.sqrt((latent**2 / covariance).mean(axis=1, keepdims=True))
    return latent / np.maximum(lengths, 1e-12)


def llr_terms(plda: Plda, enroll: np.ndarray, counts: np.ndarray, test: np.ndarray) -> PairTerms:
    """Return the terms of log likelihood ratios of latent vectors, as Kaldi's LogLikelihoodRatio.

    Of a mean u of n utterances and a test vector v: log N(v; n psi / (n psi + 1) u, V_n) -
    log N(v; 0, 1 + psi), with V_n = 1 + psi / (n psi + 1). The weight of v^2 depends on n: that of
    one utterance makes `test_bias`, and what more utterances add makes a second half of columns.

    Args:
        enroll: see `to_latent`, shape (keys, dim).
        counts: utterances behind each of `enroll`, shape (keys,).
        test: shape (tests, dim), of one utterance each.
    """
    psi, column = plda.psi, counts[:, None]
    total = 1 + psi
    variance = 1 + psi / (column * psi + 1)  # (keys, dim)
    variance_of_one = 1 + psi / total
    expected = column * psi / (column * psi + 1) * enroll
    squares = test**2
    return PairTerms(
        enroll=np.hstack([expected / variance, (1 / variance_of_one - 1 / variance) / 2]),
        test=np.hstack([test, squares]),
        enroll_bias=(np.log(total / variance) - expected**2 / variance).sum(axis=1) / 2,
        test_bias=squares @ (1 / total - 1 / variance_of_one) / 2,
    )
