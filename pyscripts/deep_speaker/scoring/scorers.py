"""Scorers: back ends fitted on training x-vectors, ready to score pairs of any others."""

import logging
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from deep_speaker.config import AS_NORM, Scoring
from deep_speaker.config.scoring import UNFITTED
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.lda import speaker_means
from deep_speaker.scoring.backends import fit_backend
from deep_speaker.scoring.crop_distances import read_crops, score_by_crops
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.transforms import COSINE, Transform
from deep_speaker.scoring.vector_backend import Scorer, VectorBackend


class FittedBackend(Protocol):
    """A back end that is ready for the keys of any x-vector directory."""

    def scorer(self, keys: KeyVectors, folder: Path) -> Scorer:
        """Return the scorer of pairs of `keys`, which the x-vector directory `folder` holds."""


class CropBackend(NamedTuple):
    """The distances of crops; nothing is fitted."""

    def scorer(self, keys: KeyVectors, folder: Path) -> Scorer:
        utterances = [key for key, row in keys.rows.items() if keys.members[row] == [row]]
        crops = read_crops(folder, utterances)
        return partial(score_by_crops, crops=crops, members=keys.members)


def fit_backends(
    options: Scoring, vectors: Mapping[str, np.ndarray], utt2spk: Mapping[str, str], has_crops: bool
) -> dict[str, FittedBackend]:
    """Fit the back ends of an experiment, by name; leave out, with a warning, those that cannot be.

    Args:
        vectors: unit-length training vectors by utterance.
        utt2spk: of the utterances to fit on.
        has_crops: whether there are crops to score; if not, cosine stands for crop_distance.

    Raises:
        ValueError: none can be fitted.
    """
    if not has_crops and "crop_distance" in options.backends:
        logging.info("no crops there (as of the floors): cosine in place of crop_distance")
    if not utt2spk:
        raise ValueError(f"no training utterances to fit back ends on: {Stage.EMBEDDINGS.again}")
    stacked = np.stack([vectors[key] for key in utt2spk])
    speakers = np.unique(list(utt2spk.values()), return_inverse=True)[1]
    means = speaker_means(stacked, speakers)[0].astype(np.float32)

    @cache
    def fit(name: str) -> Transform:
        return fit_backend(name, stacked, speakers, options.lda_dim)

    fitted: dict[str, FittedBackend] = {}
    for name in choose_backends(options, has_crops):
        if name == "crop_distance":
            fitted[name] = CropBackend()
            continue
        try:
            transform = fit(name.removesuffix(AS_NORM))
            cohort = means if name.endswith(AS_NORM) else None
            fitted[name] = VectorBackend(transform, cohort, options.cohort_size)
        except ValueError as error:
            logging.warning("no scores by %s: %s", name, error)
    if not fitted:
        raise ValueError(
            f"none of the back ends {', '.join(options.backends)} can be fitted: add cosine to "
            "scoring.backends of the config"
        )
    return fitted


def unfitted_backends(options: Scoring, has_crops: bool) -> dict[str, FittedBackend]:
    """Return the back ends of an experiment that need no training speakers, by name.

    Args:
        has_crops: see `fit_backends`.

    Raises:
        ValueError: there is none.
    """
    cosine = VectorBackend(COSINE, None, options.cohort_size)
    known: dict[str, FittedBackend] = {"crop_distance": CropBackend(), "cosine": cosine}
    names = [name for name in choose_backends(options, has_crops) if name in UNFITTED]
    if not names:
        raise ValueError(
            f"the back ends {', '.join(options.backends)} are fitted on training speakers, and "
            "there are none: add cosine to scoring.backends of the config"
        )
    return {name: known[name] for name in names}


def choose_backends(options: Scoring, has_crops: bool) -> list[str]:
    """Return the back ends of an experiment; without crops, cosine stands for crop_distance."""
    instead = {} if has_crops else {"crop_distance": "cosine"}
    return list(dict.fromkeys(instead.get(name, name) for name in options.backends))
