"""Scorers: back ends fitted on training x-vectors, ready to score pairs of any others."""

import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from deep_speaker.config import AS_NORM, Scoring
from deep_speaker.config.scoring import UNFITTED
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.lda import speaker_means
from deep_speaker.scoring.backends import Transform, fit_backend, plain_cosine
from deep_speaker.scoring.crop_distances import read_crops, score_by_crops
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.pair_terms import PairTerms
from deep_speaker.scoring.score_normalisation import AdaptiveNorm, cohort_norm

TRIALS_AT_ONCE = 4096  # rows gathered together stay in the cache
Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rows of KeyVectors to scores, (trials,)


class FittedBackend(Protocol):
    """A back end that is ready for the keys of any x-vector directory."""

    def scorer(self, keys: KeyVectors, folder: Path) -> Scorer:
        """Return the scorer of pairs of `keys`, which the x-vector directory `folder` holds."""


class VectorBackend(NamedTuple):
    """A back end of whole vectors, with adaptive s-norm where it has a cohort."""

    transform: Transform
    cohort: PairTerms | None
    cohort_size: int

    def scorer(self, keys: KeyVectors, folder: Path) -> Scorer:
        terms = self.transform(keys.vectors, keys.counts)
        norm = cohort_norm(terms, self.cohort, self.cohort_size) if self.cohort else None
        return partial(score_pairs, terms=terms, norm=norm)


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
            cohort = make_cohort(transform, means) if name.endswith(AS_NORM) else None
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
    cosine = VectorBackend(plain_cosine, None, options.cohort_size)
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


def make_cohort(transform: Transform, means: np.ndarray) -> PairTerms:
    """Return the terms of the training speakers, given their mean vectors (speakers, dim)."""
    if len(means) < 2:
        raise ValueError("a cohort of one training speaker: 2 are needed")
    # They count as one utterance each, as most of the keys do that meet them.
    return transform(means, np.ones(len(means)))


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
