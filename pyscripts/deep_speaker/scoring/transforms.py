"""Transforms: from the vectors of keys to `PairTerms`, by which any two of them are scored."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.plda import Plda, llr_terms, to_latent


@dataclass(frozen=True)
class Transform:
    """From the vectors of keys to their terms: project, centre, then the cosine, or PLDA.

    Attributes:
        projection: of LDA, float32, shape (dim, lda_dim); None: none.
        centre: taken off after the projection: float32, shape (lda_dim,) or (dim,); None: nothing.
        plda: None: the cosine.
    """

    projection: np.ndarray | None = None
    centre: np.ndarray | None = None
    plda: Plda | None = None

    def __call__(self, keys: np.ndarray, counts: np.ndarray) -> PairTerms:
        """Return terms in float32.

        Args:
            keys: means of unit-length vectors, shape (keys, dim).
            counts: the number of vectors behind each mean, shape (keys,). PLDA counts a key on the
                test side as one utterance, as Kaldi does.
        """
        keys = self.project(keys)
        if self.plda is None:
            return cosine_terms(keys)
        projected = at_root_of_dimension(keys)
        enroll = to_latent(self.plda, projected, counts)
        test = to_latent(self.plda, projected, np.ones_like(counts))
        return llr_terms(self.plda, enroll, counts, test).astype(np.float32)

    def project(self, keys: np.ndarray) -> np.ndarray:
        """Apply LDA and centring."""
        if self.projection is not None:
            keys = keys @ self.projection
        return keys if self.centre is None else keys - self.centre

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what it holds, by name; see `from_arrays`."""
        found = {"projection": self.projection, "centre": self.centre}
        if self.plda is not None:
            found |= {f"plda.{name}": array for name, array in self.plda._asdict().items()}
        return {name: array for name, array in found.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Transform":
        """Return the transform that has these `arrays`."""
        parts = [arrays.get(f"plda.{name}") for name in Plda._fields]
        plda = None if any(part is None for part in parts) else Plda(*parts)  # type: ignore[arg-type]
        return cls(arrays.get("projection"), arrays.get("centre"), plda)


COSINE = Transform()


def cosine_terms(vectors: np.ndarray) -> PairTerms:
    """Return the terms of the cosines of vectors (keys, dim)."""
    units = at_unit_length(vectors)
    no_bias = np.zeros(len(units), dtype=np.float32)
    return PairTerms(units, units, no_bias, no_bias)


def at_root_of_dimension(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors as Kaldi's ivector-normalize-length does."""
    return at_unit_length(vectors) * np.float32(np.sqrt(vectors.shape[1]))
