"""Detection costs of decisions, and the cost of log likelihood ratios.

Conventions: see `error_rates`. Costs are normalised, Cllr is in bits.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from deep_speaker.metrics.error_rates import ErrorRates, split_classes

C_MISS = 1.0
C_FALSE_ALARM = 1.0
P_TARGETS = (0.01, 0.05, 0.001)  # of the costs in results


def min_dcf(rates: ErrorRates, p_target: float) -> float:
    """The lowest `detection_cost` of all thresholds, those that accept all or none included.

    So it is 1 at most.
    """
    return float(detection_cost(rates.miss, rates.false_alarm, p_target).min())


def act_dcf(llrs: ArrayLike, is_target: ArrayLike, p_target: float) -> float:
    """The `detection_cost` of deciding by LLRs, at their Bayes threshold.

    Never less than the `min_dcf`, which an oracle's threshold gives; how much more is what
    calibration loses. Not bounded by 1.

    Raises:
        ValueError: see `error_rates`.
    """
    targets, nontargets = split_classes(llrs, is_target)
    threshold = bayes_threshold(p_target)
    return float(
        detection_cost((targets < threshold).mean(), (nontargets >= threshold).mean(), p_target)
    )


def detection_cost(miss: np.ndarray, false_alarm: np.ndarray, p_target: float) -> np.ndarray:
    """Detection cost (NIST SRE), normalised by the better of accepting and rejecting all trials.

    With C_miss = C_fa = 1: (p P_miss + (1 - p) P_fa) / min(p, 1 - p).
    """
    miss_cost = C_MISS * p_target
    false_alarm_cost = C_FALSE_ALARM * (1 - p_target)
    return (miss_cost * miss + false_alarm_cost * false_alarm) / min(miss_cost, false_alarm_cost)


def bayes_threshold(p_target: float) -> np.float64:
    """The LLR from which on accepting costs less on average: -logit(p) with C_miss = C_fa.

    A float64 of NumPy, so that float32 LLRs are compared with it and not with its rounding.

    >>> bool(bayes_threshold(0.5) == 0)
    True
    """
    return np.float64(math.log(C_FALSE_ALARM * (1 - p_target) / (C_MISS * p_target)))


def cllr(llrs: ArrayLike, is_target: ArrayLike) -> float:
    """Cost of the log likelihood ratio in bits (Brümmer & du Preez 2006).

    The mean of log2(1 + 1 / LR) over targets and of log2(1 + LR) over nontargets, halved: 0 at
    best, 1 of LLRs that are all 0. Infinite if, and only if, a target has the LLR -inf or a
    nontarget +inf.

    Raises:
        ValueError: see `error_rates`.
    """
    targets, nontargets = split_classes(llrs, is_target)
    return float(llr_losses(-targets).mean() + llr_losses(nontargets).mean()) / 2


def llr_losses(evidence: np.ndarray) -> np.ndarray:
    """log2(1 + e^x) of the log odds x for the wrong class: float64, bits, likewise shaped."""
    return np.logaddexp(0, evidence, dtype=np.float64) / math.log(2)
