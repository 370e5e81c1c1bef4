"""Scores to log likelihood ratios, and several systems' scores to one."""

from typing import NamedTuple

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

REGULARISATION = 1e-7  # keeps the weights finite where scores separate the classes
TOLERANCE = 1e-10  # the default stops percents away from the solution where few errors are left


class Calibration(NamedTuple):
    """llr = scores @ weights + offset, a natural logarithm."""

    weights: list[float]
    offset: float

    def llrs(self, scores: np.ndarray) -> np.ndarray:
        """Log likelihood ratios of scores (trials, systems): float64, shape (trials,).

        One system's infinite score gives an infinite one.
        """
        return scores @ np.array(self.weights) + self.offset


def fit_calibration(scores: np.ndarray, is_target: np.ndarray, p_target: float) -> Calibration:
    """Prior-weighted logistic regression, of one system (calibration) or several (fusion).

    The two classes weigh p and 1 - p however many trials they have, and logit(p) is taken off the
    offset (Bruemmer and de Villiers 2013, The BOSARIS Toolkit).

    Args:
        scores: shape (trials, systems).
        is_target: bool, shape (trials,).
        p_target: p, the effective prior of targets whose decisions count most.

    Raises:
        ValueError: a class is missing, or a score is not finite.
    """
    scores, is_target = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
    _check(scores, is_target)
    mean, deviation = scores.mean(axis=0), scores.std(axis=0)
    deviation[deviation == 0] = 1
    weights = np.where(is_target, p_target / is_target.sum(), (1 - p_target) / (~is_target).sum())
    model = LogisticRegression(
        C=1 / REGULARISATION, solver="newton-cholesky", tol=TOLERANCE, max_iter=1000
    )
    model.fit((scores - mean) / deviation, is_target, sample_weight=weights)
    slopes = model.coef_[0] / deviation
    offset = model.intercept_[0] - logit(p_target) - slopes @ mean
    return Calibration(slopes.tolist(), float(offset))


def _check(scores: np.ndarray, is_target: np.ndarray) -> None:
    num_targets, num_nontargets = int(is_target.sum()), int((~is_target).sum())
    if not num_targets or not num_nontargets:
        raise ValueError(
            f"{num_targets} target and {num_nontargets} nontarget trials: calibration and fusion "
            "need both kinds"
        )
    infinite = int((~np.isfinite(scores)).any(axis=1).sum())
    if infinite:
        raise ValueError(f"{infinite} of {len(scores)} trials have scores that are not finite")


def standardised_sum(scores: np.ndarray) -> np.ndarray:
    """Sum of the systems' scores, each of mean 0 and deviation 1 over the trials.

    Deep Speaker's score fusion (Li et al. 2017). Of no use to one trial alone.

    Args:
        scores: shape (trials, systems).

    Returns:
        float64, shape (trials,).
    """
    scores = np.asarray(scores, dtype=np.float64)
    deviation = scores.std(axis=0)
    return ((scores - scores.mean(axis=0)) / np.where(deviation == 0, 1, deviation)).sum(axis=1)
