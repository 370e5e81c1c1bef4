"""The shrinkage of LDA's covariance: scikit-learn's where utterances are few, none where many."""

import numpy as np
import pytest
from sklearn.covariance import oas

from deep_speaker.embeddings.lda import BLOCK, fit_lda, shrunk_covariance

DIM = 8


def draw(count: int) -> np.ndarray:
    scales = np.geomspace(0.1, 3, DIM)
    return (np.random.default_rng(count).normal(size=(count, DIM)) * scales).astype(np.float32)


@pytest.mark.parametrize("count", [3, 20, 40])
def test_few_utterances_are_shrunk_as_by_scikit_learn(count: int) -> None:
    residuals = draw(count)
    expected, _ = oas(residuals.astype(float), assume_centered=True)
    assert shrunk_covariance(residuals, count) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("count", [80, 1000, 3 * BLOCK + 5])
def test_with_ten_utterances_per_dimension_the_covariance_is_the_plain_one(count: int) -> None:
    residuals = draw(count).astype(float)
    expected = residuals.T @ residuals / count
    assert shrunk_covariance(residuals, count) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_between_five_and_ten_shrinkage_fades_and_speakers_do_not_count() -> None:
    """60 utterances of 8 dimensions, less so many speakers that 6 or 9 degrees are left for each.

    The mean of the eigenvalues stays, and all of them come the closer to it.
    """
    residuals = draw(60).astype(float)
    plain = residuals.T @ residuals / 60
    level = np.trace(plain) / DIM * np.eye(DIM)
    _, full = oas(residuals, assume_centered=True)
    for per_dimension, share in ((6, 0.8), (7.5, 0.5), (9, 0.2)):
        expected = plain + share * full * (level - plain)
        found = shrunk_covariance(residuals, int(per_dimension * DIM))
        assert found == pytest.approx(expected, rel=1e-6)


def test_a_covariance_of_zeros_stays_zero() -> None:
    assert not shrunk_covariance(np.zeros((5, DIM), np.float32), 3).any()


def test_lda_counts_utterances_less_speakers() -> None:
    """90 utterances of 30 speakers leave 60 degrees, 7.5 for each dimension: half the shrinkage."""
    speakers = np.repeat(np.arange(30), 3)
    centres = np.random.default_rng(0).normal(size=(30, DIM))
    vectors = (centres[speakers] + draw(90)).astype(np.float32)
    residuals = (
        vectors - np.stack([vectors[speakers == i].mean(axis=0) for i in range(30)])[speakers]
    )
    plain = residuals.T @ residuals / 90
    _, full = oas(residuals, assume_centered=True)
    within = plain + 0.5 * full * (np.trace(plain) / DIM * np.eye(DIM) - plain)
    lda = fit_lda(vectors, speakers, DIM)
    assert lda.T @ within @ lda == pytest.approx(np.eye(DIM), abs=1e-4)
