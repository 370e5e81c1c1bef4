"""Decisions: a score against a threshold, with the error rates that it had on other speakers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

from deep_speaker.scoring.decision_table import EVEN, DecisionTable


@dataclass(frozen=True)
class Criterion:
    """How sure one has to be: by a prior, a wanted rate of false alarms, or a score.

    Attributes:
        prior: the probability, before listening, that both are one speaker.
        false_alarms: wanted share of different speakers that are taken for one.
        score: the threshold itself.
    """

    prior: float = EVEN
    false_alarms: float | None = None
    score: float | None = None


@dataclass(frozen=True)
class Decision:
    """An answer, and how far it can be trusted.

    Attributes:
        score: of the model's back end.
        llr: log likelihood ratio of one speaker against two, a natural logarithm; None, as all
            that follows may be: the model is not calibrated.
        probability: that both are one speaker, by the ratio and the criterion's prior.
        threshold: the score from which on the answer is yes.
        same: whether the score reaches the threshold.
        false_alarm_rate, miss_rate: of the threshold, on held-out speakers.
        measured: what these rates were measured on.
    """

    score: float
    llr: float | None = None
    probability: float | None = None
    threshold: float | None = None
    same: bool | None = None
    false_alarm_rate: float | None = None
    miss_rate: float | None = None
    measured: Mapping[str, int] | None = None


def find_threshold(
    table: DecisionTable | None, criterion: Criterion, num_candidates: int = 1
) -> float | None:
    """Return the score from which on the answer is yes; None where nothing tells.

    Args:
        num_candidates: of whom the best is asked about: each of them may be a false alarm, so that
            the wanted rate, or the prior, is shared among them.

    Raises:
        ValueError: the model is not calibrated, and the criterion needs that; or see the table.
    """
    if criterion.score is not None:
        return criterion.score
    if table is None:
        if criterion.false_alarms is not None or criterion.prior != EVEN:
            raise ValueError(
                "this model is not calibrated (too few held-out speakers): no threshold is known "
                "for a prior or a rate of false alarms: give one as a score, --threshold"
            )
        return None
    if criterion.false_alarms is not None:
        try:
            return table.threshold_for_false_alarms(criterion.false_alarms / num_candidates)
        except ValueError as error:
            shared = f"{criterion.false_alarms:g} shared among {num_candidates} speakers is "
            raise ValueError(shared * (num_candidates > 1) + str(error)) from error
    return table.threshold_for_prior(share_prior(criterion.prior, num_candidates))


def share_prior(prior: float, num_candidates: int) -> float:
    """Return the prior of each candidate against nobody, who keep 1 - prior together.

    >>> share_prior(0.5, 1), round(share_prior(0.5, 4), 3)
    (0.5, 0.2)
    """
    each = prior / num_candidates
    return each / (each + 1 - prior)


def decide(
    score: float, table: DecisionTable | None, criterion: Criterion, num_candidates: int = 1
) -> Decision:
    """Decide by a score; see `find_threshold`."""
    threshold = find_threshold(table, criterion, num_candidates)
    same = None if threshold is None else score >= threshold
    if table is None:
        return Decision(score, threshold=threshold, same=same)
    assert threshold is not None
    llr = table.llr(score)
    odds = llr + log(criterion.prior / (1 - criterion.prior))
    false_alarms, misses = table.error_rates(threshold)
    counts = {
        "speakers": table.num_speakers,
        "target": table.num_target,
        "nontarget": table.num_nontarget,
    }
    probability = 1 / (1 + exp(-min(max(odds, -700), 700)))
    return Decision(score, llr, probability, threshold, same, false_alarms, misses, counts)
