"""Back ends, fitted on training x-vectors: cosine, centring, LDA, PLDA."""

from collections.abc import Sequence

import numpy as np

from deep_speaker.embeddings.lda import fit_lda
from deep_speaker.scoring.plda_estimation import fit_plda
from deep_speaker.scoring.transforms import COSINE, Transform, at_root_of_dimension


def fit_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Return the plain cosine; nothing is fitted."""
    return COSINE


def fit_centred_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Fit the cosine around the mean of the training vectors."""
    return Transform(centre=vectors.mean(axis=0, dtype=np.float64).astype(np.float32))


def fit_lda_cosine(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Fit the cosine after centring and LDA, applied in float32."""
    lda = fit_lda(vectors, speakers, lda_dim)
    centre = (vectors.mean(axis=0, dtype=np.float64) @ lda).astype(np.float32)
    return Transform(lda.astype(np.float32), centre)


def fit_plda_llr(vectors: np.ndarray, speakers: np.ndarray, lda_dim: int) -> Transform:
    """Fit PLDA's log likelihood ratio after centring, LDA and length normalisation, as in Kaldi.

    Like Kaldi's x-vector recipes: ivector-subtract-global-mean, transform-vec,
    ivector-normalize-length (to the root of the dimension), then ivector-plda-scoring
    --normalize-length=true --num-utts. Unlike there, x-vectors have unit length before the mean
    is taken, and LDA is shrunk.
    """
    lda = fit_lda_cosine(vectors, speakers, lda_dim)
    plda = fit_plda(at_root_of_dimension(lda.project(vectors)), speakers)
    return Transform(lda.projection, lda.centre, plda)


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
