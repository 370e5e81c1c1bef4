"""PLDA: against the joint Gaussian, Kaldi's loop written out, and planted covariances."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from deep_speaker.embeddings.lda import speaker_means
from deep_speaker.scoring.plda import Plda, llr_terms, to_latent
from deep_speaker.scoring.plda_estimation import fit_plda


def random_covariance(rng: np.random.Generator, dim: int) -> np.ndarray:
    root = rng.normal(size=(dim, 2 * dim))
    return root @ root.T / (2 * dim)


def draw_speakers(
    rng: np.random.Generator, counts: np.ndarray, within: np.ndarray, between: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around a mean of 3, and the codes of their speakers."""
    dim = len(within)
    speakers = np.repeat(np.arange(len(counts)), counts)
    centres = rng.multivariate_normal(np.full(dim, 3.0), between, len(counts))
    return centres[speakers] + rng.multivariate_normal(
        np.zeros(dim), within, len(speakers)
    ), speakers


def kaldi_covariances(
    vectors: np.ndarray, speakers: np.ndarray, num_iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """EM as ivector/plda.cc does it: speaker by speaker, with inverses of both covariances."""
    dim = vectors.shape[1]
    groups = [vectors[speakers == speaker] for speaker in np.unique(speakers)]
    mean = np.mean([group.mean(axis=0) for group in groups], axis=0)
    within, between = np.eye(dim), np.eye(dim)
    for _ in range(num_iterations):
        within_sum, between_sum = np.zeros((2, dim, dim))
        for group in groups:
            n, m = len(group), group.mean(axis=0) - mean
            within_sum += (group - group.mean(axis=0)).T @ (group - group.mean(axis=0))
            mixed = np.linalg.inv(np.linalg.inv(between) + n * np.linalg.inv(within))
            w = mixed @ (n * np.linalg.inv(within) @ m)
            between_sum += mixed + np.outer(w, w)
            within_sum += n * (mixed + np.outer(m - w, m - w))
        within, between = within_sum / len(vectors), between_sum / len(groups)
    return within, between


def covariances(plda: Plda) -> tuple[np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(plda.transform)
    return inverse @ inverse.T, inverse @ np.diag(plda.psi) @ inverse.T


def all_llrs(plda: Plda, enroll: np.ndarray, counts: np.ndarray, test: np.ndarray) -> np.ndarray:
    terms = llr_terms(plda, enroll, counts, test)
    return terms.enroll @ terms.test.T + terms.enroll_bias[:, None] + terms.test_bias


def latent_plda(psi: np.ndarray) -> Plda:
    return Plda(np.zeros(len(psi)), np.eye(len(psi)), psi)


def test_means_are_those_of_speakers_in_any_order() -> None:
    vectors = np.array([[1, 10], [5, 0], [3, 20]], dtype=np.float32)
    means, counts = speaker_means(vectors, np.array([1, 0, 1]))
    assert means.tolist() == [[5, 0], [2, 15]]
    assert counts.tolist() == [1, 2]


@pytest.mark.parametrize("num_iterations", [1, 10])
def test_covariances_are_those_of_kaldis_loop(num_iterations: int) -> None:
    rng = np.random.default_rng(0)
    counts = np.array([1, 1, 2, 5, 3, 8, 2, 1])
    vectors, speakers = draw_speakers(rng, counts, random_covariance(rng, 3), np.eye(3))
    shuffled = rng.permutation(len(vectors))
    plda = fit_plda(vectors[shuffled], speakers[shuffled], num_iterations)
    within, between = kaldi_covariances(vectors, speakers, num_iterations)
    found_within, found_between = covariances(plda)
    assert found_within == pytest.approx(within, abs=1e-10)
    assert found_between == pytest.approx(between, abs=1e-10)
    assert plda.mean == pytest.approx(speaker_means(vectors, speakers)[0].mean(axis=0))
    assert (np.diff(plda.psi) <= 0).all()


def test_planted_covariances_are_found_from_speakers_with_few_utterances() -> None:
    rng = np.random.default_rng(1)
    within, between = random_covariance(rng, 3), 2 * random_covariance(rng, 3)
    vectors, speakers = draw_speakers(rng, rng.integers(1, 7, 20000), within, between)
    found_within, found_between = covariances(fit_plda(vectors, speakers))
    assert found_within == pytest.approx(within, abs=0.03)
    assert found_between == pytest.approx(between, abs=0.06)


def test_fewer_utterances_than_dimensions_give_finite_figures() -> None:
    rng = np.random.default_rng(2)
    plda = fit_plda(rng.normal(size=(6, 20)), np.array([0, 0, 1, 1, 2, 2]))
    assert np.isfinite(plda.transform).all()
    assert (plda.psi >= 0).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_llrs_are_those_of_the_joint_gaussian_of_all_vectors(count: int) -> None:
    """One Gaussian over the stacked enrolment and test vectors, of one speaker or of two."""
    rng = np.random.default_rng(count)
    psi = np.array([8.0, 1.5, 0.1, 0.0])
    enrolled = rng.normal(size=(count, 4)) * 2
    test = rng.normal(size=(6, 4)) * 2
    one = np.kron(np.ones((count + 1, count + 1)), np.diag(psi)) + np.eye(4 * (count + 1))
    two = one.copy()
    two[: 4 * count, 4 * count :] = two[4 * count :, : 4 * count] = 0
    stacked = [np.concatenate([*enrolled, vector]) for vector in test]
    zero = np.zeros(len(one))
    expected = [
        multivariate_normal.logpdf(x, zero, one) - multivariate_normal.logpdf(x, zero, two)
        for x in stacked
    ]
    mean = enrolled.mean(axis=0, keepdims=True)
    llrs = all_llrs(latent_plda(psi), mean, np.array([count]), test)
    assert llrs[0] == pytest.approx(np.array(expected), abs=1e-6)


def test_models_of_different_counts_are_scored_together_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    plda = latent_plda(np.array([3.0, 1.0, 0.2]))
    enroll, test, counts = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), np.array([1, 2, 7, 1])
    together = all_llrs(plda, enroll, counts, test)
    for i in range(4):
        alone = all_llrs(plda, enroll[i : i + 1], counts[i : i + 1], test)
        assert together[i] == pytest.approx(alone[0], abs=1e-12)


def test_llrs_are_symmetric_at_one_utterance_and_surer_with_more() -> None:
    rng = np.random.default_rng(4)
    plda = latent_plda(np.array([4.0, 2.0]))
    vectors = rng.normal(size=(6, 2)) * 2
    llrs = all_llrs(plda, vectors, np.ones(6, int), vectors)
    assert llrs == pytest.approx(llrs.T, abs=1e-12)
    far, near = np.array([[-3.0, -2.0]]), np.array([[3.0, 2.0]])
    model = np.repeat(near, 3, axis=0)
    targets, nontargets = (
        all_llrs(plda, model, np.array([1, 4, 16]), x)[:, 0] for x in (near, far)
    )
    assert (np.diff(targets) > 0).all() and targets[0] > 0
    assert (np.diff(nontargets) < 0).all() and nontargets[0] < 0


def test_speakers_that_do_not_differ_give_llrs_of_zero() -> None:
    rng = np.random.default_rng(5)
    llrs = all_llrs(
        latent_plda(np.zeros(3)), rng.normal(size=(2, 3)), np.array([1, 3]), rng.normal(size=(2, 3))
    )
    assert llrs == pytest.approx(np.zeros((2, 2)), abs=1e-12)


def test_latent_vectors_have_the_length_that_their_count_lets_expect() -> None:
    """By hand: (1, 1) about the mean doubles to (2, 4); with 2 utterances C = (3.5, 0.5)."""
    plda = Plda(np.array([5.0, 5.0]), np.diag([2.0, 4.0]), np.array([3.0, 0.0]))
    latent = to_latent(plda, np.array([[6.0, 6.0], [60.0, 60.0]]), np.array([2, 2]))
    factor = np.sqrt(2 / (4 / 3.5 + 16 / 0.5))
    assert latent == pytest.approx(np.array([[2, 4], [2, 4]]) * factor)
    assert to_latent(plda, np.array([[5.0, 5.0]]), np.array([1])).tolist() == [[0, 0]]
