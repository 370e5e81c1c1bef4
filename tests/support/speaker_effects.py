"""Trials whose scores depend on their speakers, and the draws of speakers that replicate them."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from deep_speaker.metrics.intervals import Interval, SpeakerBootstrap
from deep_speaker.metrics.metric import Metric, ScoredTrials
from deep_speaker.metrics.registry import METRICS


class Corpus(NamedTuple):
    """Codes of speakers, labels and scores, each of shape (trials,)."""

    enroll: np.ndarray
    test: np.ndarray
    is_target: np.ndarray
    scores: np.ndarray

    def chosen(self, rows: np.ndarray) -> "Corpus":
        return Corpus(*(column[rows] for column in self))

    def bootstrap(self, num_replicates: int = 1000, seed: int = 0) -> SpeakerBootstrap:
        return SpeakerBootstrap(self.enroll, self.test, self.is_target, num_replicates, seed)

    def scored(self, llrs: np.ndarray | None = None) -> ScoredTrials:
        return ScoredTrials(self.scores, self.is_target, llrs)

    def intervals(
        self, llrs: np.ndarray | None = None, num_replicates: int = 1000, seed: int = 0
    ) -> dict[tuple[str, ...], Interval]:
        """Return the intervals of all metrics of verification."""
        scored = self.scored(llrs)
        return self.bootstrap(num_replicates, seed).intervals(scored, verification_metrics(scored))


def verification_metrics(scored: ScoredTrials) -> list[Metric]:
    return [m for m in METRICS if m.kind == "verification" and m.applies("verification", scored)]


def make_corpus(seed: int, num_speakers: int, separation: float = 3, per_pair: int = 4) -> Corpus:
    """Draw scores with effects of the speakers, in every class of variance 1; d apart on average.

    So over all speakers that there could be the EER is that of two Gaussians, Phi(-d / 2).
    """
    rng = np.random.default_rng(seed)
    ease, likeness = rng.normal(0, 0.5**0.5, num_speakers), rng.normal(0, 0.5, num_speakers)
    pairs = np.array([*combinations(range(num_speakers), 2)]).repeat(per_pair, axis=0)
    own = np.arange(num_speakers).repeat(5 * per_pair)
    enroll, test = np.concatenate([own, pairs[:, 0]]), np.concatenate([own, pairs[:, 1]])
    is_target = enroll == test
    means = np.where(is_target, separation + ease[enroll], likeness[enroll] + likeness[test])
    return Corpus(enroll, test, is_target, means + rng.normal(0, 0.5**0.5, len(enroll)))


def repeat_trials(corpus: Corpus, times: np.ndarray) -> np.ndarray:
    """Return the rows of the trials of a replicate in which each speaker occurs so many times."""
    enroll, test, is_target, _ = corpus
    counts = np.where(is_target, times[enroll], times[enroll] * times[test])
    return np.arange(len(enroll)).repeat(counts)


def draw_times(num_speakers: int, num_replicates: int, seed: int) -> np.ndarray:
    """Draw how often each speaker occurs in each replicate: shape (replicates, speakers)."""
    shares = np.full(num_speakers, 1 / num_speakers)
    return np.random.default_rng(seed).multinomial(num_speakers, shares, num_replicates)
