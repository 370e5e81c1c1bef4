"""Back ends fitted on training x-vectors, ready to score pairs of any others."""

import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from deep_speaker.config import AS_NORM, Scoring
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.lda import speaker_means
from deep_speaker.scoring.backends import Sides, Transform, fit_backend
from deep_speaker.scoring.crop_distances import read_crops, score_by_crops
from deep_speaker.scoring.groups import XVectors
from deep_speaker.scoring.score_normalisation import AdaptiveNorm, cohort_statistics

TRIALS_AT_ONCE = 4096  # rows gathered together stay in the cache
Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rows of XVectors to scores, (trials,)


class FittedBackend(Protocol):
    def scorer(self, keys: XVectors, folder: Path) -> Scorer:
        """What scores pairs of `keys`, which the x-vector directory `folder` holds."""


class VectorBackend(NamedTuple):
    """A back end of whole vectors, with adaptive s-norm where it has a cohort."""

    transform: Transform
    cohort: Sides | None
    cohort_size: int

    def scorer(self, keys: XVectors, folder: Path) -> Scorer:
        sides = self.transform(keys.vectors, keys.counts)
        norm = cohort_statistics(sides, self.cohort, self.cohort_size) if self.cohort else None
        return partial(score_pairs, sides=sides, norm=norm)


class CropBackend(NamedTuple):
    """The distances of crops; nothing is fitted."""

    def scorer(self, keys: XVectors, folder: Path) -> Scorer:
        utterances = [key for key, row in keys.rows.items() if keys.members[row] == [row]]
        crops = read_crops(folder, utterances)
        return partial(score_by_crops, crops=crops, members=keys.members)


def fit_backends(
    options: Scoring, vectors: Mapping[str, np.ndarray], utt2spk: Mapping[str, str], has_crops: bool
) -> dict[str, FittedBackend]:
    """The back ends of an experiment by name; those that cannot be fitted are told and left out.

    Args:
        vectors: unit-length training vectors by utterance.
        utt2spk: of the utterances to fit on.
        has_crops: of whether what is to be scored has any; else cosine stands for crop_distance.

    Raises:
        ValueError: none can be fitted.
    """
    instead = {} if has_crops else {"crop_distance": "cosine"}
    if not has_crops and "crop_distance" in options.backends:
        logging.info("no crops there (as of the floors): cosine in place of crop_distance")
    if not utt2spk:
        raise ValueError(f"no training utterances to fit back ends on: {Stage.EMBEDDINGS.again}")
    training = np.stack([vectors[key] for key in utt2spk])
    speakers, of_speaker = np.unique(list(utt2spk.values()), return_inverse=True)
    means = speaker_means(training, of_speaker)[0].astype(np.float32)

    @cache
    def fit(name: str) -> Transform:
        return fit_backend(name, training, of_speaker, options.lda_dim)

    fitted: dict[str, FittedBackend] = {}
    for name in dict.fromkeys(instead.get(name, name) for name in options.backends):
        if name == "crop_distance":
            fitted[name] = CropBackend()
            continue
        try:
            base = name.removesuffix(AS_NORM)
            transform = fit(base)
            # As of one utterance each: what they are compared with mostly are.
            cohort = None if name == base else transform(means, np.ones(len(speakers)))
            if cohort and len(speakers) < 2:
                raise ValueError("a cohort of one training speaker, 2 are needed")
            fitted[name] = VectorBackend(transform, cohort, options.cohort_size)
        except ValueError as error:
            logging.warning("no scores by %s: %s", name, error)
    if not fitted:
        raise ValueError(
            f"none of the back ends {', '.join(options.backends)} can be fitted: add cosine to "
            "scoring.backends of the config"
        )
    return fitted


def score_pairs(
    enroll: np.ndarray, test: np.ndarray, *, sides: Sides, norm: AdaptiveNorm | None
) -> np.ndarray:
    """Scores of pairs of keys: float32, shape (trials,).

    Args:
        enroll: rows of `sides`, shape (trials,).
        test: likewise.
    """
    scores = np.empty(len(enroll), dtype=np.float32)
    for start in range(0, len(enroll), TRIALS_AT_ONCE):
        part = slice(start, start + TRIALS_AT_ONCE)
        np.einsum("ij,ij->i", sides.enroll[enroll[part]], sides.test[test[part]], out=scores[part])
    scores += sides.enroll_bias[enroll] + sides.test_bias[test]
    return scores if norm is None else norm.apply(scores, enroll, test)
