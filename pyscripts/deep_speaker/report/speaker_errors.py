"""Errors by speaker, at the threshold of the equal error rate."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from deep_speaker.metrics.error_rates import ErrorRates
from deep_speaker.trials.table import TrialTable


class SpeakerErrors(NamedTuple):
    """Misses among a speaker's target trials, false alarms among those with other speakers."""

    speaker: str
    misses: int
    targets: int
    false_alarms: int
    nontargets: int

    @property
    def miss_rate(self) -> float:
        """Share of misses; 0 without target trials."""
        return self.misses / max(self.targets, 1)

    @property
    def false_alarm_rate(self) -> float:
        """Share of false alarms; 0 without nontarget trials."""
        return self.false_alarms / max(self.nontargets, 1)


def eer_threshold(rates: ErrorRates) -> float:
    """Return the threshold whose miss and false-alarm rates are the nearest to each other.

    A trial is accepted when its score reaches it.
    """
    gaps = np.abs(rates.miss - rates.false_alarm)[: len(rates.thresholds)]
    return float(rates.thresholds[np.argmin(gaps)])


def speaker_errors(
    trials: TrialTable, speakers: Sequence[str], scores: np.ndarray, threshold: float
) -> list[SpeakerErrors]:
    """Count the errors of every speaker; return those with the highest rates first.

    A false alarm counts for both its speakers.

    Args:
        speakers: of the `names` of the trials.
        scores: shape (trials,).
    """
    names, codes = np.unique(np.asarray(speakers), return_inverse=True)
    enroll, test = codes[trials.enroll], codes[trials.test]
    accepted = scores >= threshold

    def count(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(enroll[chosen], minlength=len(names))

    def count_both(chosen: np.ndarray) -> np.ndarray:
        return count(chosen) + np.bincount(test[chosen], minlength=len(names))

    columns = (
        count(trials.is_target & ~accepted),
        count(trials.is_target),
        count_both(~trials.is_target & accepted),
        count_both(~trials.is_target),
    )
    found = [
        SpeakerErrors(str(name), *figures)
        for name, *figures in zip(names, *(column.tolist() for column in columns), strict=True)
    ]
    return sorted(found, key=lambda each: -each.miss_rate - each.false_alarm_rate)
