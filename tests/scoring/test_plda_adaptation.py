"""Adaptation of PLDA: against UpdatePlda of ivector/plda.cc transcribed, and where it helps."""

import numpy as np
import pytest

from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.scoring.backends import fit_backend
from deep_speaker.scoring.plda import Plda
from deep_speaker.scoring.plda_adaptation import adapt_backend, adapt_plda
from deep_speaker.scoring.transforms import Transform, at_root_of_dimension
from support import kaldi_plda

DIM = 5


def draw_plda(rng: np.random.Generator, zeros: int = 0) -> Plda:
    psi = np.concatenate([np.sort(rng.gamma(1, 3, DIM - zeros))[::-1], np.zeros(zeros)])
    return Plda(rng.normal(size=DIM), rng.normal(size=(DIM, DIM)), psi)


def covariances(plda: Plda | kaldi_plda.Plda) -> np.ndarray:
    """Those within and between speakers, which tell a PLDA apart whatever the signs of its rows."""
    transform, psi = (
        (plda.transform, plda.psi)
        if isinstance(plda, Plda)
        else (
            plda.transform_,
            plda.psi_,
        )
    )
    inverse = np.linalg.inv(transform)
    return np.stack([inverse @ inverse.T, inverse * psi @ inverse.T])


@pytest.mark.parametrize("count", [3, 200])
@pytest.mark.parametrize("spread", [0.1, 1, 10])
@pytest.mark.parametrize("zeros", [0, 2])
def test_adapted_plda_is_kaldis(count: int, spread: float, zeros: int) -> None:
    """Of vectors that vary less than in training, as much, and more; also fewer than dimensions."""
    rng = np.random.default_rng(count)
    plda = draw_plda(rng, zeros)
    vectors = rng.normal(1, spread, size=(count, DIM))
    expected = kaldi_plda.update_plda(kaldi_plda.Plda(*plda), vectors)
    found = adapt_plda(plda, vectors)
    assert found.mean == pytest.approx(expected.mean_)
    assert found.psi == pytest.approx(expected.psi_, rel=1e-6, abs=1e-9)
    scale = np.abs(covariances(expected)).max()
    assert covariances(found) / scale == pytest.approx(covariances(expected) / scale, abs=1e-9)
    one, other = rng.normal(size=(2, DIM))
    score = kaldi_plda.Plda(*found).score(one, 2, other)
    assert score == pytest.approx(expected.score(one, 2, other), rel=1e-6)


def test_vectors_that_vary_no_more_than_training_leave_the_covariances() -> None:
    plda = draw_plda(np.random.default_rng(0))
    vectors = np.tile(plda.mean, (4, 1))
    assert covariances(adapt_plda(plda, vectors)) == pytest.approx(covariances(plda))


def test_excess_is_shared_between_both_covariances() -> None:
    """By hand: total 4 in training's whitened space, so 3 too much: 0.9 within, 2.1 between."""
    plda = Plda(np.zeros(1), np.eye(1), np.ones(1))  # within 1, between 1, total 2
    vectors = np.array([[-(8**0.5)], [8**0.5]])
    within, between = covariances(adapt_plda(plda, vectors)).ravel()
    assert within == pytest.approx(2 * (0.5 + 0.9))
    assert between == pytest.approx(2 * (0.5 + 2.1))


def draw_domain(num_speakers: int, seed: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of 8 utterances of each speaker, off the origin by a domain's shift."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(num_speakers), 8)
    voices = rng.normal(size=(num_speakers, 12)) * np.geomspace(1.5, 0.3, 12)
    vectors = voices[speakers] + rng.normal(size=(len(speakers), 12)) + shift
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), speakers


def find_error(transform: Transform, vectors: np.ndarray, speakers: np.ndarray) -> float:
    terms = transform(vectors, np.ones(len(vectors)))
    scores = terms.enroll @ terms.test.T + terms.enroll_bias[:, None] + terms.test_bias
    pairs = np.triu_indices(len(vectors), 1)
    labels = speakers[pairs[0]] == speakers[pairs[1]]
    return equal_error_rate(error_rates(scores[pairs], labels))


def test_adaptation_lowers_the_error_of_a_domain_that_lies_elsewhere() -> None:
    """By unlabelled vectors of other speakers of that domain; at home it changes little."""
    transform = fit_backend("plda", *draw_domain(60, 0, 0.3), lda_dim=12)
    errors = {}
    for shift in (-1.5, 0.3):
        adapted = adapt_backend(transform, draw_domain(40, 1, shift)[0])
        test = draw_domain(30, 2, shift)
        errors[shift] = find_error(transform, *test), find_error(adapted, *test)
    assert errors[-1.5][1] < 0.9 * errors[-1.5][0]
    assert errors[0.3][1] < 1.1 * errors[0.3][0]


def test_the_adapted_back_end_centres_and_scales_as_kaldis_recipe() -> None:
    """ivector-subtract-global-mean without a file, transform-vec, ivector-normalize-length."""
    transform = fit_backend("plda", *draw_domain(30, 0, 0.3), lda_dim=DIM)
    assert transform.projection is not None and transform.plda is not None
    vectors, _ = draw_domain(20, 1, 0.5)
    adapted = adapt_backend(transform, vectors)
    projected = (vectors - vectors.mean(axis=0)) @ transform.projection
    scaled = at_root_of_dimension(projected)
    expected = kaldi_plda.update_plda(kaldi_plda.Plda(*transform.plda), scaled.astype(float))
    assert adapted.plda is not None
    assert adapted.plda.psi == pytest.approx(expected.psi_, rel=1e-3)
    assert adapted.project(vectors) == pytest.approx(projected, abs=1e-4)
