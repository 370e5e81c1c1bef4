"""Back ends: each against its formula written out, and on speakers hidden in strong noise."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from deep_speaker.embeddings.lda import fit_lda
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.scoring.backends import FITTERS, fit_backend
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.plda import llr_terms, to_latent
from deep_speaker.scoring.plda_estimation import fit_plda

DIM = 10
TRAINED = ("lda", "plda")


def at_unit_length(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def draw_vectors(
    num_speakers: int, num_utterances: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors off the origin: speakers differ in five dimensions, noise in the others."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(num_speakers), num_utterances)
    centres = rng.normal(size=(num_speakers, DIM)) * np.repeat([1.0, 0.0], DIM // 2)
    spread = rng.normal(size=(len(speakers), DIM)) * np.repeat([0.2, 2.0], DIM // 2)
    return at_unit_length(centres[speakers] + spread + 2).astype(np.float32), speakers


def score(terms: PairTerms) -> np.ndarray:
    return terms.enroll @ terms.test.T + terms.enroll_bias[:, None] + terms.test_bias


def ones(vectors: np.ndarray) -> np.ndarray:
    return np.ones(len(vectors), dtype=int)


def find_error(name: str) -> float:
    """The EER among unseen speakers, of a back end fitted on 40 others."""
    transform = fit_backend(name, *draw_vectors(40, 10, 0), lda_dim=5)
    vectors, speakers = draw_vectors(30, 6, 1)
    pairs = np.triu_indices(len(vectors), 1)
    scores = score(transform(vectors, ones(vectors)))[pairs]
    return equal_error_rate(error_rates(scores, speakers[pairs[0]] == speakers[pairs[1]]))


def test_cosine_is_that_of_the_vectors_whatever_their_length() -> None:
    train, speakers = draw_vectors(3, 2, 0)
    vectors = np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32)
    transform = fit_backend("cosine", train, speakers, 5)
    assert score(transform(vectors, ones(vectors))) == pytest.approx(np.array([[1, 0.8], [0.8, 1]]))


def test_centred_cosine_is_taken_around_the_mean_of_training() -> None:
    train = np.array([[0, 0], [2, 2]], dtype=np.float32)
    vectors = np.array([[2, 1], [1, 3], [1, -4]], dtype=np.float32)  # right, above, below (1, 1)
    transform = fit_backend("centred_cosine", train, ["a", "b"], 5)
    expected = [[1, 0, 0], [0, 1, -1], [0, -1, 1]]
    assert score(transform(vectors, ones(vectors))) == pytest.approx(np.array(expected), abs=1e-6)


def draw_many() -> tuple[np.ndarray, np.ndarray]:
    """So many vectors, of noise a little stronger in some dimensions, that hardly any shrinks.

    Some of the speakers have a hundred times the utterances of others.
    """
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), np.geomspace(40, 4000, 20).astype(int))
    noise = rng.normal(size=(len(speakers), 6)) * np.linspace(0.7, 1.4, 6)
    return (rng.normal(size=(20, 6))[speakers] + noise + 1).astype(np.float32), speakers


def test_lda_is_scikit_learns_where_shrinkage_vanishes() -> None:
    train, speakers = draw_many()
    vectors = train[::3000]
    model = LinearDiscriminantAnalysis(solver="eigen", n_components=4)
    model.fit(train - train.mean(axis=0), speakers)
    projected = at_unit_length(model.transform(vectors - train.mean(axis=0)))
    found = score(fit_backend("lda", train, speakers, 4)(vectors, ones(vectors)))
    assert found == pytest.approx(projected @ projected.T, abs=0.003)


def test_lda_makes_the_within_speaker_covariance_one() -> None:
    """That of the speakers with two utterances or more: others tell nothing about it."""
    train, speakers = draw_many()
    means = np.stack([train[speakers == speaker].mean(axis=0) for speaker in range(20)])
    singles = np.random.default_rng(1).normal(size=(5000, 6)).astype(np.float32)
    codes = np.concatenate([speakers, np.arange(20, 5020)])
    projected = (train - means[speakers]) @ fit_lda(np.concatenate([train, singles]), codes, 4)
    assert projected.T @ projected / len(train) == pytest.approx(np.eye(4), abs=0.01)


@pytest.mark.parametrize(
    ("lda_dim", "num_speakers", "expected"), [(4, 8, 4), (9, 8, 7), (99, 40, 10)]
)
def test_lda_keeps_no_more_than_speakers_and_dimensions_allow(
    lda_dim: int, num_speakers: int, expected: int
) -> None:
    assert fit_lda(*draw_vectors(num_speakers, 4, 0), lda_dim).shape == (DIM, expected)


def test_plda_centres_projects_scales_and_takes_log_likelihood_ratios() -> None:
    train, speakers = draw_vectors(20, 6, 0)
    vectors, counts = draw_vectors(4, 1, 1)[0], np.array([1, 3, 1, 8])
    projection, mean = fit_lda(train, speakers, 5), train.mean(axis=0, dtype=np.float64)

    def project(keys: np.ndarray) -> np.ndarray:
        return at_unit_length((keys - mean) @ projection) * np.sqrt(5)

    plda = fit_plda(project(train), speakers)
    enroll = to_latent(plda, project(vectors), counts)
    test = to_latent(plda, project(vectors), ones(vectors))  # whatever their counts, as in Kaldi
    terms = llr_terms(plda, enroll, counts, test)
    expected = terms.enroll @ terms.test.T + terms.enroll_bias[:, None] + terms.test_bias
    found = score(fit_backend("plda", train, speakers, 5)(vectors, counts))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert np.abs(expected).max() > 10


@pytest.mark.parametrize("name", FITTERS)
def test_terms_are_float32_and_do_not_depend_on_labels_or_order(name: str) -> None:
    train, speakers = draw_vectors(6, 5, 0)
    vectors = draw_vectors(3, 2, 1)[0]
    order = np.random.default_rng(0).permutation(len(train))
    names = np.array(["z", "b", "c", "d", "e", "a"])[speakers]
    first = fit_backend(name, train, speakers, 4)(vectors, ones(vectors))
    second = fit_backend(name, train[order], names[order], 4)(vectors, ones(vectors))
    assert {part.dtype for part in first} == {np.dtype(np.float32)}
    assert [len(part) for part in first] == [len(vectors)] * 4
    assert score(second) == pytest.approx(score(first), rel=1e-3, abs=1e-3)


def test_what_is_learnt_finds_speakers_that_the_cosine_does_not() -> None:
    errors = {name: find_error(name) for name in FITTERS}
    assert errors["cosine"] > 0.3
    assert errors["lda"] < 0.1
    assert errors["plda"] < 0.1


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(
    "counts",
    [[2, 2], [1, 1, 1, 2], [1, 3, 1, 2, 5], [2] * 4, [1] * 30 + [2]],
    ids=["two_speakers", "one_pair", "mixed", "fewer_than_dimensions", "many_singles"],
)
def test_poor_training_sets_give_finite_scores(name: str, counts: list[int]) -> None:
    speakers = np.repeat(np.arange(len(counts)), counts)
    train = draw_vectors(len(speakers), 1, 0)[0]
    vectors = draw_vectors(4, 2, 1)[0]
    scores = score(fit_backend(name, train, speakers, 150)(vectors, ones(vectors)))
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 0


@pytest.mark.parametrize("name", TRAINED)
def test_too_few_speakers_or_utterances_are_refused(name: str) -> None:
    train = draw_vectors(4, 1, 0)[0]
    with pytest.raises(ValueError, match=r"^1 .* 4 utterances"):
        fit_backend(name, train, ["a"] * 4, 5)
    with pytest.raises(ValueError, match=r"^4 .* 1 utterances"):
        fit_backend(name, train, list("abcd"), 5)
    with pytest.raises(ValueError, match="the same x-vector"):
        fit_backend(name, train[[0, 0, 1, 1]], list("aabb"), 5)
