"""What is fitted on training x-vectors to score trials: cosine, centring, LDA, PLDA.

A back end turns vectors into two sides whose products are scores, so that any pair of keys costs
one product of rows.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from deep_speaker.embeddings.lda import fit_lda
from deep_speaker.embeddings.xvectors import at_unit_length
from deep_speaker.scoring.plda import fit_plda, llr_terms, to_latent


class Sides(NamedTuple):
    """score(i, j) = enroll[i] @ test[j] + enroll_bias[i] + test_bias[j].

    float32, shapes (keys, dim) and (keys,). `dim` is the back end's own.
    """

    enroll: np.ndarray
    test: np.ndarray
    enroll_bias: np.ndarray
    test_bias: np.ndarray


# Of means of unit-length vectors (keys, dim) and how many vectors each is the mean of (keys,).
Transform = Callable[[np.ndarray, np.ndarray], Sides]


def fit_backend(
    name: str, vectors: np.ndarray, speakers: Sequence[str] | np.ndarray, lda_dim: int
) -> Transform:
    """Fit a back end of `BACKENDS` on training x-vectors.

    Args:
        vectors: of unit length, shape (utterances, dim).
        speakers: labels, shape (utterances,).
        lda_dim: dimensions that LDA keeps, at most; never more than speakers less one.

    Raises:
        ValueError: `lda` or `plda`, and there is one speaker only, or none has two utterances, or
            those of each speaker have one and the same vector.
    """
    return BACKENDS[name](vectors, np.unique(speakers, return_inverse=True)[1], lda_dim)


def fit_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """The cosine as it is, nothing fitted."""
    return lambda keys, counts: _cosine_sides(keys)


def fit_centred_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """The cosine around the mean of the training vectors."""
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return lambda keys, counts: _cosine_sides(keys - mean)


def fit_lda_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """The cosine after centring and LDA."""
    project = _fit_projection(vectors, speakers, lda_dim)
    return lambda keys, counts: _cosine_sides(project(keys))


def fit_plda_llr(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """PLDA's log likelihood ratio after centring, LDA and length normalisation, as in Kaldi.

    As its x-vector recipes do: ivector-subtract-global-mean, transform-vec,
    ivector-normalize-length (to the root of the dimension), then ivector-plda-scoring
    --normalize-length=true --num-utts. Other than there, x-vectors have unit length before the mean
    is taken, and LDA is shrunk. A key on the test side counts as one utterance, as in Kaldi.
    """
    project = _fit_projection(vectors, speakers, lda_dim)
    plda = fit_plda(_at_root_of_dimension(project(vectors)), speakers)

    def transform(keys: np.ndarray, counts: np.ndarray) -> Sides:
        projected = _at_root_of_dimension(project(keys))
        enroll = to_latent(plda, projected, counts)
        test = to_latent(plda, projected, np.ones_like(counts))
        terms = llr_terms(plda, enroll, counts, test)
        return Sides(*(term.astype(np.float32) for term in terms))

    return transform


BACKENDS = {
    "cosine": fit_cosine,
    "centred_cosine": fit_centred_cosine,
    "lda": fit_lda_cosine,
    "plda": fit_plda_llr,
}


def _fit_projection(
    vectors: np.ndarray, speakers: np.ndarray, lda_dim: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Centring and LDA, in float32."""
    lda = fit_lda(vectors, speakers, lda_dim)
    offset = (vectors.mean(axis=0, dtype=np.float64) @ lda).astype(np.float32)
    projection = lda.astype(np.float32)
    return lambda keys: keys @ projection - offset


def _cosine_sides(vectors: np.ndarray) -> Sides:
    units = at_unit_length(vectors)
    no_bias = np.zeros(len(units), dtype=np.float32)
    return Sides(units, units, no_bias, no_bias)


def _at_root_of_dimension(vectors: np.ndarray) -> np.ndarray:
    """Scaled as Kaldi's ivector-normalize-length does."""
    return at_unit_length(vectors) * np.float32(np.sqrt(vectors.shape[1]))
