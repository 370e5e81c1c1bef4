"""The back end of whole vectors, fitted: the scores of any pairs."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.score_normalisation import AdaptiveNorm, cohort_norm
from deep_speaker.scoring.transforms import Transform

TRIALS_AT_ONCE = 256  # rows gathered together stay in the cache
COHORT = "cohort"
Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rows of KeyVectors to scores, (trials,)


class VectorBackend:
    """A back end of whole vectors, with adaptive s-norm where it has a cohort.

    Attributes:
        transform: from vectors to the terms of scores.
        cohort: mean vectors of training speakers, shape (speakers, dim); None: no normalisation.
        cohort_size: how many of the cohort count for a key, the closest.
    """

    def __init__(self, transform: Transform, cohort: np.ndarray | None, cohort_size: int) -> None:
        """Check the cohort.

        Raises:
            ValueError: it is of one speaker.
        """
        if cohort is not None and len(cohort) < 2:
            raise ValueError("a cohort of one training speaker: 2 are needed")
        self.transform, self.cohort, self.cohort_size = transform, cohort, cohort_size

    def scorer(self, keys: KeyVectors, folder: Path | None = None) -> Scorer:
        """Return the scorer of pairs of keys, wherever they lie."""
        terms = self.transform(keys.vectors, keys.counts)
        return partial(score_pairs, terms=terms, norm=self._norm(terms))

    def _norm(self, terms: PairTerms) -> AdaptiveNorm | None:
        if self.cohort is None:
            return None
        # They count as one utterance each, as most of the keys do that meet them.
        cohort = self.transform(self.cohort, np.ones(len(self.cohort)))
        return cohort_norm(terms, cohort, self.cohort_size)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, by name; see `from_arrays`."""
        cohort = {} if self.cohort is None else {COHORT: self.cohort}
        return self.transform.arrays() | cohort

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], cohort_size: int) -> "VectorBackend":
        """Return the back end that has these `arrays`."""
        return cls(Transform.from_arrays(arrays), arrays.get(COHORT), cohort_size)


def score_pairs(
    enroll: np.ndarray, test: np.ndarray, *, terms: PairTerms, norm: AdaptiveNorm | None
) -> np.ndarray:
    """Score pairs of keys: float32, shape (trials,).

    Args:
        enroll: rows of `terms`, shape (trials,).
        test: likewise.
    """
    scores = np.empty(len(enroll), dtype=np.float32)
    for start in range(0, len(enroll), TRIALS_AT_ONCE):
        part = slice(start, start + TRIALS_AT_ONCE)
        np.einsum("ij,ij->i", terms.enroll[enroll[part]], terms.test[test[part]], out=scores[part])
    scores += terms.enroll_bias[enroll] + terms.test_bias[test]
    return scores if norm is None else norm.apply(scores, enroll, test)
