"""PLDA adapted to unlabelled vectors of another domain, after Kaldi's PldaUnsupervisedAdaptor."""

from dataclasses import replace

import numpy as np
import scipy.linalg

from deep_speaker.scoring.plda import Plda
from deep_speaker.scoring.transforms import Transform, at_root_of_dimension

# Kaldi's defaults: how much of what varies more than in training lies within and between speakers.
WITHIN_SHARE, BETWEEN_SHARE = 0.3, 0.7


def adapt_backend(transform: Transform, vectors: np.ndarray) -> Transform:
    """Adapt a PLDA back end to unlabelled vectors.

    As in Kaldi's recipes (egs/sre16/v2), their own mean is taken off, and PLDA is adapted to them
    as projected and scaled.

    Args:
        vectors: as the back end takes them, shape (utterances, dim).
    """
    assert transform.plda is not None
    mean = vectors.mean(axis=0, dtype=np.float64)
    if transform.projection is not None:
        mean = mean @ transform.projection
    centred = replace(transform, centre=mean.astype(np.float32))
    projected = at_root_of_dimension(centred.project(vectors))
    return replace(centred, plda=adapt_plda(transform.plda, projected))


def adapt_plda(plda: Plda, vectors: np.ndarray) -> Plda:
    """Adapt PLDA to unlabelled vectors, as Kaldi's ivector-adapt-plda with its defaults.

    The mean becomes theirs. In the directions in which they vary more than training did, around
    its mean, the excess is added to the covariances within and between speakers.

    Args:
        vectors: shape (utterances, dim).
    """
    vectors = vectors.astype(np.float64)
    mean = vectors.mean(axis=0)
    offsets = vectors - plda.mean
    total = offsets.T @ offsets / len(vectors)  # (dim, dim)
    # Here training's total covariance is I; then also that of the vectors is diagonal.
    whitening = plda.transform / np.sqrt(1 + plda.psi)[:, None]
    variances, directions = np.linalg.eigh(whitening @ total @ whitening.T)
    whitening = directions.T @ whitening
    excess = np.diag(np.maximum(variances - 1, 0))
    within = directions.T / (1 + plda.psi) @ directions + WITHIN_SHARE * excess
    between = directions.T * (plda.psi / (1 + plda.psi)) @ directions + BETWEEN_SHARE * excess
    psi, basis = scipy.linalg.eigh(between, within)
    return Plda(mean, basis[:, ::-1].T @ whitening, np.maximum(psi[::-1], 0))
