"""Costs of log likelihood ratios: of deciding by them, and over all decisions.

Conventions: see `error_rates`. Costs are normalised, Cllr is in bits.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from deep_speaker.metrics.detection_costs import C_FALSE_ALARM, C_MISS, detection_cost
from deep_speaker.metrics.error_rates import split_classes


@dataclass(frozen=True)
class LlrCost:
    """A cost of LLRs: the losses of trials, averaged per class, and both averages combined.

    Attributes:
        target_losses: takes the LLRs of targets (trials,), gives their losses, shaped alike.
        nontarget_losses: likewise of nontargets.
        combine: takes the mean losses of targets and of nontargets, numbers or arrays of numbers
            of several lists; gives the cost of each.
    """

    target_losses: Callable[[np.ndarray], np.ndarray]
    nontarget_losses: Callable[[np.ndarray], np.ndarray]
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def __call__(self, llrs: ArrayLike, is_target: ArrayLike) -> float:
        """Return the cost of the LLRs of trials.

        Raises:
            ValueError: see `error_rates`.
        """
        targets, nontargets = split_classes(llrs, is_target)
        losses = self.target_losses(targets), self.nontarget_losses(nontargets)
        return float(self.combine(losses[0].mean(), losses[1].mean()))


def act_dcf(p_target: float) -> LlrCost:
    """Return the cost of deciding by LLRs: the `detection_cost` at their Bayes threshold.

    Never less than the `min_dcf`, which an oracle's threshold gives; how much more is what
    calibration loses. Not bounded by 1.

    >>> act_dcf(0.5)([1.0, -1.0, -2.0], [True, True, False])
    0.5
    """
    threshold = bayes_threshold(p_target)
    return LlrCost(
        lambda targets: targets < threshold,
        lambda nontargets: nontargets >= threshold,
        partial(detection_cost, p_target=p_target),
    )


def bayes_threshold(p_target: float) -> np.float64:
    """Return the LLR from which on accepting costs less on average: -logit(p) if C_miss = C_fa.

    A float64 of NumPy, so that float32 LLRs are compared with it and not with its rounding.

    >>> bool(bayes_threshold(0.5) == 0)
    True
    """
    return np.float64(math.log(C_FALSE_ALARM * (1 - p_target) / (C_MISS * p_target)))


def cllr() -> LlrCost:
    """Return the cost of the log likelihood ratio in bits (Brümmer & du Preez 2006).

    The mean of log2(1 + 1 / LR) over targets and of log2(1 + LR) over nontargets, halved: 0 at
    best, 1 of LLRs that are all 0. Infinite if, and only if, a target has the LLR -inf or a
    nontarget +inf.

    >>> cllr()([0.0, 0.0], [True, False])
    1.0
    """
    return LlrCost(
        lambda targets: llr_losses(-targets),
        llr_losses,
        lambda of_targets, of_nontargets: (of_targets + of_nontargets) / 2,
    )


def llr_losses(evidence: np.ndarray) -> np.ndarray:
    """Return log2(1 + e^x) of the log odds x for the wrong class: float64, bits, shaped alike."""
    return np.logaddexp(0, evidence, dtype=np.float64) / math.log(2)
