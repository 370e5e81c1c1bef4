"""Back ends fitted on training vectors, against slow direct computations."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_speaker.config import Backend, Scoring
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.scoring import scorers, vector_backend
from deep_speaker.scoring.backends import fit_backend
from deep_speaker.scoring.key_vectors import KeyVectors, group_vectors
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.scorers import fit_backends
from deep_speaker.scoring.transforms import Transform
from deep_speaker.scoring.vector_backend import score_pairs
from support.tiny_xvectors import make_crops, make_utt2spk, make_vectors, write_crop_vectors

NOWHERE = Path("no/such/folder")  # x-vector directories are read for crops alone
TRAIN = make_utt2spk("t", 7, 4)
TEST = make_utt2spk("s", 3, 3)
FITTED: tuple[Backend, ...] = ("cosine", "centred_cosine", "lda", "plda")


def unit_vectors(utt2spk: dict[str, str], seed: int) -> dict[str, np.ndarray]:
    return {key: at_unit_length(vector) for key, vector in make_vectors(utt2spk, seed).items()}


@pytest.fixture
def keys() -> KeyVectors:
    """Test utterances, and a model of two and a speaker of three of them."""
    return group_vectors(unit_vectors(TEST, 1), {"m": ["s0-0", "s1-1"], "s2": [*TEST][6:]})


def all_pairs(keys: KeyVectors) -> tuple[np.ndarray, np.ndarray]:
    enroll, test = np.divmod(np.arange(len(keys.rows) ** 2), len(keys.rows))
    return enroll, test


@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_scores_of_pairs_by_hand(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_backend, "TRIALS_AT_ONCE", at_once)
    enroll = np.array([[1, 2], [3, 4]], np.float32)
    test = np.array([[1, 0], [0, 10]], np.float32)
    biases = np.array([[0.5, 0.25], [100, 200]], np.float32)
    rows = np.array([0, 0, 1, 1] * 5), np.array([0, 1, 0, 1] * 5)
    scores = score_pairs(*rows, terms=PairTerms(enroll, test, *biases), norm=None)
    assert scores.dtype == np.float32
    assert scores.tolist() == [101.5, 220.5, 103.25, 240.25] * 5


@pytest.mark.parametrize("name", FITTED)
def test_back_ends_are_fitted_on_the_utterances_given_alone(
    name: Backend, keys: KeyVectors
) -> None:
    """Vectors of others may be there, who are not seen."""
    vectors = unit_vectors(TRAIN, 0)
    strangers = unit_vectors(make_utt2spk("x", 5, 3), 5)
    options = Scoring(backends=(name,), lda_dim=3)
    (backend,) = fit_backends(options, strangers | vectors, TRAIN, False).values()
    enroll, test = all_pairs(keys)
    scores = backend.scorer(keys, NOWHERE)(enroll, test)

    stacked = np.stack([vectors[key] for key in TRAIN])
    transform = fit_backend(name, stacked, list(TRAIN.values()), 3)
    terms = transform(keys.vectors, np.array([1] * 9 + [2, 3]))
    products = terms.enroll.astype(float) @ terms.test.T.astype(float)
    expected = products + terms.enroll_bias[:, None] + terms.test_bias
    assert scores == pytest.approx(expected.ravel(), abs=1e-4)
    assert np.ptp(expected) > 0.5


def test_the_mean_of_training_is_the_centre_of_the_centred_cosine() -> None:
    """By hand: the mean of training is (0, 0.5), over utterances and not over speakers."""
    training = {"a-1": "a", "a-2": "a", "a-3": "a", "b-1": "b"}
    vectors = {"a-1": [1, 0], "a-2": [-1, 0], "a-3": [0, 1], "b-1": [0, 1], "out": [-0.6, -0.8]}
    arrays = {key: np.array(vector, np.float32) for key, vector in vectors.items()}
    keys = group_vectors({"p": np.array([0.6, 0.8]), "q": np.array([0, 1.0])}, {})
    options = Scoring(backends=("centred_cosine",))
    (backend,) = fit_backends(options, arrays, training, False).values()
    score = backend.scorer(keys, NOWHERE)
    cosine = 0.3 / math.sqrt(0.6**2 + 0.3**2)
    assert score(np.array([0, 1]), np.array([1, 1])).tolist() == pytest.approx([cosine, 1])


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("size", [2, 3, 300])
def test_scores_are_normalised_by_the_nearest_training_speakers(
    size: int, name: str, keys: KeyVectors
) -> None:
    """The cohort is the mean of each speaker, scored as an utterance by the same back end."""
    vectors = unit_vectors(TRAIN, 0)
    backends: tuple = (f"{name}_as_norm", name)
    options = Scoring(backends=backends, lda_dim=3, cohort_size=size)
    fitted = fit_backends(options, vectors, TRAIN, False)
    assert list(fitted) == list(backends)
    rows = all_pairs(keys)
    normed, plain = (fitted[key].scorer(keys, NOWHERE)(*rows) for key in backends)

    speakers: dict[str, list[str]] = {}
    for key, speaker in TRAIN.items():
        speakers.setdefault(speaker, []).append(key)
    members = {**keys.rows, **{f"of {speaker}": speaker for speaker in speakers}}
    means = np.stack([sum(vectors[key] for key in group) / 4 for group in speakers.values()])
    joined = KeyVectors(
        {key: row for row, key in enumerate(members)},
        np.concatenate([keys.vectors, means]),
        [*keys.members, *[[0]] * len(speakers)],
    )
    table = fitted[name].scorer(joined, NOWHERE)(*all_pairs(joined)).astype(float)
    table = table.reshape(len(members), -1)
    first = len(keys.rows)
    for i, j, found in zip(*rows, normed, strict=True):
        of_enroll = np.sort(table[i, first:])[-size:]
        of_test = np.sort(table[first:, j])[-size:]
        terms = [(table[i, j] - of.mean()) / of.std() for of in (of_enroll, of_test)]
        assert found == pytest.approx(sum(terms) / 2, rel=1e-3, abs=1e-2)
    assert not np.allclose(normed, plain, atol=0.1)


def test_speakers_named_as_their_utterances_are_in_the_cohort_too(keys: KeyVectors) -> None:
    """One recording per speaker, named as the speaker."""
    vectors = dict(zip("abcdefg", unit_vectors(TRAIN, 0).values(), strict=False))
    numbered = {f"{key}-1": vector for key, vector in vectors.items()}
    options = Scoring(backends=("cosine_as_norm",))
    rows = all_pairs(keys)
    expected = fit_backends(options, numbered, {key: key[0] for key in numbered}, False)
    found = fit_backends(options, vectors, {key: key for key in vectors}, False)
    scores, same = (
        fitted["cosine_as_norm"].scorer(keys, NOWHERE)(*rows) for fitted in (expected, found)
    )
    assert same == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({f"t{i}-0": f"t{i}" for i in range(7)}, ": 7 "),
        (dict.fromkeys(TRAIN, "t0"), ": 1 "),
    ],
)
def test_a_warning_names_what_cannot_be_fitted_and_the_others_score(
    training: dict[str, str], reason: str, keys: KeyVectors, caplog: pytest.LogCaptureFixture
) -> None:
    backends: tuple[Backend, ...] = ("plda", "cosine", "lda", "lda_as_norm", "centred_cosine")
    fitted = fit_backends(Scoring(backends=backends), unit_vectors(TRAIN, 0), training, False)
    assert list(fitted) == ["cosine", "centred_cosine"]
    found = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(found) == 3
    for name, line in zip(("plda", "lda", "lda_as_norm"), found, strict=True):
        assert f" {name}{reason}" in line
    for backend in fitted.values():
        assert np.isfinite(backend.scorer(keys, NOWHERE)(*all_pairs(keys))).all()


def test_a_back_end_is_fitted_once_with_and_without_normalisation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits = []

    def fit(name: str, *arguments: Any) -> Transform:
        fits.append(name)
        return fit_backend(name, *arguments)

    monkeypatch.setattr(scorers, "fit_backend", fit)
    backends: tuple[Backend, ...] = ("lda_as_norm", "cosine", "lda", "cosine_as_norm")
    fit_backends(Scoring(backends=backends), unit_vectors(TRAIN, 0), TRAIN, False)
    assert fits == ["lda", "cosine"]


def test_crops_are_scored_where_there_are_any(tmp_path: Path) -> None:
    crops = make_crops(TEST)
    folder = write_crop_vectors(tmp_path / "x", crops, TEST)
    vectors = unit_vectors(TRAIN, 0)
    options = Scoring(backends=("crop_distance", "centred_cosine", "cosine"))
    assert list(fit_backends(options, vectors, TRAIN, False)) == ["cosine", "centred_cosine"]
    fitted = fit_backends(options, vectors, TRAIN, True)
    assert list(fitted) == ["crop_distance", "centred_cosine", "cosine"]

    wanted = {key: np.zeros(16) for key in ("s2-2", "s0-1", "s1-0")}  # not all, in no order
    keys = group_vectors(wanted, {"s1": ["s1-0"], "m": ["s0-1", "s2-2"]})
    score = fitted["crop_distance"].scorer(keys, folder)
    names = [("s0-1", "s1-0"), ("m", "s1"), ("s1", "s2-2")]
    rows = np.array([[keys.rows[name] for name in pair] for pair in names]).T
    sides = {"s1": crops["s1-0"], "m": np.concatenate([crops["s0-1"], crops["s2-2"]])} | crops
    expected = [
        -np.mean([math.dist(a, b) for a in sides[enroll] for b in sides[test]])
        for enroll, test in names
    ]
    assert score(*rows) == pytest.approx(expected, abs=1e-5)
