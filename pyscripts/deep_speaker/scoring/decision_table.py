"""What the scores of held-out speakers teach about others: likelihood ratios and error rates."""

from dataclasses import asdict, dataclass
from math import log
from typing import Any

import numpy as np

from deep_speaker.system.json_text import are_numbers

EVEN = 0.5  # the prior at which both errors count alike
NUM_POINTS = 400  # thresholds at which error rates are kept; between them they are interpolated


@dataclass(frozen=True)
class DecisionTable:
    """The decisions by a back end's scores, as measured on pairs of held-out speakers.

    Attributes:
        backend: whose scores it is about.
        weight, offset: log likelihood ratio = weight * score + offset, a natural logarithm.
        thresholds: scores, rising, shape (points,).
        false_alarm_rates: share of nontarget pairs with a score of at least each threshold. Of
            several corpora, each one's pairs count together as much as another's.
        miss_rates: share of target pairs below each threshold, likewise.
        num_speakers, num_target, num_nontarget: that it was measured on.
    """

    backend: str
    weight: float
    offset: float
    thresholds: list[float]
    false_alarm_rates: list[float]
    miss_rates: list[float]
    num_speakers: int
    num_target: int
    num_nontarget: int

    def __post_init__(self) -> None:
        """Check what may come from a file."""
        curves = (self.thresholds, self.false_alarm_rates, self.miss_rates)
        figures = [self.weight, self.offset, self.num_speakers, self.num_target, self.num_nontarget]
        num_points = len(self.thresholds)
        if not num_points or not all(are_numbers(curve, num_points) for curve in curves):
            raise ValueError("expected as many thresholds as rates, all of them numbers")
        if not are_numbers(figures, len(figures)) or self.num_nontarget < 1:
            raise ValueError("expected numbers for the weight, the offset and the counts")

    def llr(self, score: float) -> float:
        """Return the log likelihood ratio of a score: of one speaker against two."""
        return self.weight * score + self.offset

    def threshold_for_prior(self, p_target: float) -> float:
        """Return the score from which on one speaker is likelier than two.

        Args:
            p_target: the probability before listening that it is one, between 0 and 1.
        """
        if not 0 < p_target < 1:
            raise ValueError(f"prior {p_target:g}: take a probability between 0 and 1")
        return (-log(p_target / (1 - p_target)) - self.offset) / self.weight

    def threshold_for_false_alarms(self, rate: float) -> float:
        """Return the lowest score at which no more than this share of nontarget pairs pass.

        Raises:
            ValueError: fewer pairs than one stand behind it.
        """
        if not 1 / self.num_nontarget <= rate < 1:
            raise ValueError(
                f"a false alarm rate of {rate:g}: measured on {self.num_nontarget} pairs of "
                f"speakers: take one from {1 / self.num_nontarget:.2g} to 1"
            )
        falling = np.array(self.false_alarm_rates)
        return self.thresholds[int(np.argmax(falling <= rate))]

    def error_rates(self, threshold: float) -> tuple[float, float]:
        """Return the rates of false alarms and of misses at a threshold."""
        false_alarms = np.interp(threshold, self.thresholds, self.false_alarm_rates)
        return float(false_alarms), float(np.interp(threshold, self.thresholds, self.miss_rates))

    def to_json(self) -> dict[str, Any]:
        """Return its attributes, for JSON."""
        return asdict(self)


def measure_decisions(
    backend: str,
    scores: np.ndarray,
    is_target: np.ndarray,
    shares: np.ndarray,
    calibration: tuple[float, float],
    num_speakers: int,
) -> DecisionTable:
    """Measure error rates at thresholds from below the lowest score to above the highest.

    Args:
        scores: of pairs of held-out speakers, shape (trials,).
        is_target: bool, likewise.
        shares: how much each pair counts within its class, likewise.
        calibration: weight and offset, see `DecisionTable`.
    """
    thresholds = np.linspace(scores.min(), np.nextafter(scores.max(), np.inf), NUM_POINTS)
    misses = shares_below(thresholds, scores[is_target], shares[is_target])
    false_alarms = 1 - shares_below(thresholds, scores[~is_target], shares[~is_target])
    return DecisionTable(
        backend,
        *calibration,
        thresholds=[round(float(each), 6) for each in thresholds],
        false_alarm_rates=[round(float(each), 6) for each in false_alarms],
        miss_rates=[round(float(each), 6) for each in misses],
        num_speakers=num_speakers,
        num_target=int(is_target.sum()),
        num_nontarget=int((~is_target).sum()),
    )


def shares_below(thresholds: np.ndarray, scores: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the share of scores below each threshold: shape (thresholds,).

    >>> shares_below(np.array([0.0, 1.5, 9.0]), np.array([2, 1]), np.array([3, 1]))
    array([0.  , 0.25, 1.  ])
    """
    order = np.argsort(scores)
    sums = np.concatenate([[0], np.cumsum(shares[order])])
    below: np.ndarray = sums[np.searchsorted(scores[order], thresholds)] / sums[-1]
    return below
