"""The terms by which any pair of keys is scored with one product of rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike


class PairTerms(NamedTuple):
    """score(i, j) = enroll[i] @ test[j] + enroll_bias[i] + test_bias[j], i enrols, j is tested.

    Shapes (keys, dim) and (keys,); `dim` is the back end's own. float64 or float32.
    """

    enroll: np.ndarray
    test: np.ndarray
    enroll_bias: np.ndarray
    test_bias: np.ndarray

    def astype(self, dtype: DTypeLike) -> "PairTerms":
        """Return the terms in another precision."""
        return PairTerms(*(term.astype(dtype) for term in self))
