"""Probabilistic linear discriminant analysis, after Kaldi's `ivector/plda.cc`.

An utterance's vector is its speaker's, drawn with the between-speaker covariance, plus noise drawn
with the within-speaker covariance (Ioffe 2006, Probabilistic Linear Discriminant Analysis, ECCV).
"""

from typing import NamedTuple

import numpy as np

from deep_speaker.scoring.pair_terms import PairTerms


class Plda(NamedTuple):
    """`transform @ (vector - mean)` has within-speaker covariance I and between-speaker diag(psi).

    Shapes (dim,), (dim, dim) and (dim,), float64; psi falls.
    """

    mean: np.ndarray
    transform: np.ndarray
    psi: np.ndarray


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
