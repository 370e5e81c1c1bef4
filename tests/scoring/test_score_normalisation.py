"""Adaptive s-norm against its formula, trial by trial."""

import numpy as np
import pytest

from deep_speaker.scoring import score_normalisation
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.score_normalisation import cohort_norm


def draw_terms(num_keys: int, seed: int) -> PairTerms:
    """Draw enrolling and tested terms that differ, as those of PLDA do."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(2, num_keys, 5)), rng.normal(size=(2, num_keys))
    return PairTerms(*(side.astype(np.float32) for part in parts for side in part))


def score(terms: PairTerms, i: int, others: PairTerms, j: int) -> float:
    return float(terms.enroll[i] @ others.test[j] + terms.enroll_bias[i] + others.test_bias[j])


def slow_norm(terms: PairTerms, cohort: PairTerms, top: int, i: int, j: int) -> float:
    size = range(len(cohort.test))
    of_enroll = sorted((score(terms, i, cohort, k) for k in size), reverse=True)[:top]
    of_test = sorted((score(cohort, k, terms, j) for k in size), reverse=True)[:top]
    plain = score(terms, i, terms, j)
    return sum(float((plain - np.mean(x)) / np.std(x)) for x in (of_enroll, of_test)) / 2


@pytest.mark.parametrize("top", [2, 7, 20, 50])
@pytest.mark.parametrize("scores_at_once", [1, 100, 10**6])
def test_scores_are_those_of_the_formula(
    top: int, scores_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in blocks of rows, and with fewer speakers (20) than are asked for."""
    monkeypatch.setattr(score_normalisation, "SCORES_AT_ONCE", scores_at_once)
    terms, cohort = draw_terms(12, 0), draw_terms(20, 1)
    pairs = [(0, 1), (3, 3), (11, 0), (3, 5)]
    plain = np.array([score(terms, i, terms, j) for i, j in pairs])
    found = cohort_norm(terms, cohort, top).apply(plain, *np.array(pairs).T)
    expected = [slow_norm(terms, cohort, top, i, j) for i, j in pairs]
    assert found == pytest.approx(np.array(expected), rel=1e-5, abs=1e-5)


def test_units_of_the_scores_do_not_matter() -> None:
    terms, cohort = draw_terms(6, 0), draw_terms(9, 1)
    enroll, test = np.arange(6), np.arange(6)[::-1]
    plain = np.array([score(terms, i, terms, 5 - i) for i in range(6)])
    first = cohort_norm(terms, cohort, 4).apply(plain, enroll, test)
    scaled, of_cohort = (
        side._replace(enroll=9 * side.enroll, enroll_bias=9 * side.enroll_bias + 5,
                      test_bias=9 * side.test_bias - 2)
        for side in (terms, cohort)
    )  # fmt: skip
    second = cohort_norm(scaled, of_cohort, 4).apply(9 * plain + 3, enroll, test)
    assert second == pytest.approx(first, rel=1e-4, abs=1e-4)


def test_a_cohort_of_equals_gives_finite_scores() -> None:
    cohort = PairTerms(*(np.repeat(part, 3, axis=0) for part in draw_terms(1, 1)))
    norm = cohort_norm(draw_terms(4, 0), cohort, 3)
    assert np.isfinite(norm.apply(np.ones(4), np.arange(4), np.arange(4))).all()
    assert (norm.enroll_deviation > 0).all()


@pytest.mark.parametrize(("size", "top"), [(1, 300), (5, 1)])
def test_fewer_than_two_scores_are_refused(size: int, top: int) -> None:
    with pytest.raises(ValueError, match=rf" {min(size, top)} .* cohort of {size} .*cohort_size"):
        cohort_norm(draw_terms(4, 0), draw_terms(size, 1), top)
