"""Back ends, fitted on training x-vectors: cosine, centring, LDA, PLDA.

A back end turns the vectors of keys into `PairTerms`, by which any two of them are scored.
"""

from collections.abc import Callable, Sequence

import numpy as np

from deep_speaker.embeddings.lda import fit_lda
from deep_speaker.embeddings.xvectors import at_unit_length
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.plda import fit_plda, llr_terms, to_latent

# Maps means of unit-length vectors (keys, dim), and the number of vectors behind each mean (keys,),
# to terms in float32.
Transform = Callable[[np.ndarray, np.ndarray], PairTerms]


def _fit_centred_lda(
    vectors: np.ndarray, speakers: np.ndarray, lda_dim: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit centring and LDA, applied in float32."""
    lda = fit_lda(vectors, speakers, lda_dim)
    offset = (vectors.mean(axis=0, dtype=np.float64) @ lda).astype(np.float32)
    projection = lda.astype(np.float32)
    return lambda keys: keys @ projection - offset


def cosine_terms(vectors: np.ndarray) -> PairTerms:
    """Return the terms of the cosines of vectors (keys, dim)."""
    units = at_unit_length(vectors)
    no_bias = np.zeros(len(units), dtype=np.float32)
    return PairTerms(units, units, no_bias, no_bias)


def _at_root_of_dimension(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors as Kaldi's ivector-normalize-length does."""
    return at_unit_length(vectors) * np.float32(np.sqrt(vectors.shape[1]))


def plain_cosine(vectors: np.ndarray, counts: np.ndarray) -> PairTerms:
    """Return the terms of plain cosines, whatever the number of vectors behind each mean."""
    return cosine_terms(vectors)


def fit_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Return the plain cosine; nothing is fitted."""
    return plain_cosine


def fit_centred_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Fit the cosine around the mean of the training vectors."""
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return lambda keys, counts: cosine_terms(keys - mean)


def fit_lda_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Fit the cosine after centring and LDA."""
    project = _fit_centred_lda(vectors, speakers, lda_dim)
    return lambda keys, counts: cosine_terms(project(keys))


def fit_plda_llr(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Fit PLDA's log likelihood ratio after centring, LDA and length normalisation, as in Kaldi.

    Like Kaldi's x-vector recipes: ivector-subtract-global-mean, transform-vec,
    ivector-normalize-length (to the root of the dimension), then ivector-plda-scoring
    --normalize-length=true --num-utts. Unlike there, x-vectors have unit length before the mean
    is taken, and LDA is shrunk. A key on the test side counts as one utterance, as in Kaldi.
    """
    project = _fit_centred_lda(vectors, speakers, lda_dim)
    plda = fit_plda(_at_root_of_dimension(project(vectors)), speakers)

    def transform(keys: np.ndarray, counts: np.ndarray) -> PairTerms:
        projected = _at_root_of_dimension(project(keys))
        enroll = to_latent(plda, projected, counts)
        test = to_latent(plda, projected, np.ones_like(counts))
        return llr_terms(plda, enroll, counts, test).astype(np.float32)

    return transform


FITTERS = {
    "cosine": fit_cosine,
    "centred_cosine": fit_centred_cosine,
    "lda": fit_lda_cosine,
    "plda": fit_plda_llr,
}


def fit_backend(
    name: str, vectors: np.ndarray, speakers: Sequence[str] | np.ndarray, lda_dim: int
) -> Transform:
    """Fit a back end of `FITTERS` on training x-vectors.

    Args:
        vectors: of unit length, shape (utterances, dim).
        speakers: labels, shape (utterances,).
        lda_dim: the most dimensions that LDA keeps; speakers less one are a limit too.

    Raises:
        ValueError: for `lda` and `plda`, see `fit_lda`.
    """
    return FITTERS[name](vectors, np.unique(speakers, return_inverse=True)[1], lda_dim)
