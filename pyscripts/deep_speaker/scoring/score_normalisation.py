"""Adaptive symmetric score normalisation (AS-norm).

AS-norm1 of Matejka et al. 2017, Analysis of Score Normalization in Multilingual Speaker
Recognition, Interspeech.
"""

from typing import NamedTuple

import numpy as np

from deep_speaker.scoring.pair_terms import PairTerms

SCORES_AT_ONCE = 1_000_000  # 4 MB
SMALLEST_DEVIATION = 1e-6


class AdaptiveNorm(NamedTuple):
    """Mean and deviation of each key's highest scores with the cohort: float32, shape (keys,)."""

    enroll_mean: np.ndarray
    enroll_deviation: np.ndarray
    test_mean: np.ndarray
    test_deviation: np.ndarray

    def apply(self, scores: np.ndarray, enroll: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Return ((s - mean_e) / deviation_e + (s - mean_t) / deviation_t) / 2 of scores s.

        Args:
            scores: shape (trials,).
            enroll: rows of the keys, shape (trials,).
            test: likewise.
        """
        of_enroll = (scores - self.enroll_mean[enroll]) / self.enroll_deviation[enroll]
        of_test = (scores - self.test_mean[test]) / self.test_deviation[test]
        return (of_enroll + of_test) / 2


def cohort_norm(terms: PairTerms, cohort: PairTerms, top: int) -> AdaptiveNorm:
    """Measure mean and deviation of the scores of every key with its nearest of the cohort.

    A key that enrols meets the cohort as tests, a key that is tested meets it as enrolled.

    Args:
        terms: of the keys of the trials.
        cohort: of other speakers, by the same back end. Where its scores depend on the number of
            utterances (PLDA), give it as many as the keys have, or the scales differ.
        top: the number of highest scores that count; all where the cohort is smaller.

    Raises:
        ValueError: fewer than two scores.
    """
    top = min(top, len(cohort.test))
    if top < 2:
        raise ValueError(
            f"the {top} highest scores of a cohort of {len(cohort.test)} have no deviation: give "
            "more training speakers, or a larger cohort_size"
        )
    of_enroll = _top_scores(terms.enroll, terms.enroll_bias, cohort.test, cohort.test_bias, top)
    of_test = _top_scores(terms.test, terms.test_bias, cohort.enroll, cohort.enroll_bias, top)
    return AdaptiveNorm(*of_enroll, *of_test)


def _top_scores(
    keys: np.ndarray, key_bias: np.ndarray, cohort: np.ndarray, cohort_bias: np.ndarray, top: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each key's `top` highest scores with the cohort."""
    means, deviations = np.empty((2, len(keys)), dtype=np.float32)
    rows = max(1, SCORES_AT_ONCE // len(cohort))
    for start in range(0, len(keys), rows):
        part = slice(start, start + rows)
        scores = keys[part] @ cohort.T
        scores += cohort_bias
        scores.partition(len(cohort) - top, axis=1)
        highest = scores[:, len(cohort) - top :]
        means[part] = highest.mean(axis=1, dtype=np.float64) + key_bias[part]
        deviations[part] = highest.std(axis=1, dtype=np.float64)
    return means, np.maximum(deviations, SMALLEST_DEVIATION)
