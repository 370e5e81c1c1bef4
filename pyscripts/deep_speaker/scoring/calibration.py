"""Calibration: from scores to log likelihood ratios, and from several systems' scores to one."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

REGULARISATION = 1e-7  # keeps the weights finite where scores separate the classes
# Of the gradient. The default stops short of the solution where errors are few; rounding may end it
# above this, some 1e-9, but not far above.
TOLERANCE, FAILURE = 1e-10, 1e-6


class Calibration(NamedTuple):
    """llr = scores @ weights + offset, a natural logarithm."""

    weights: list[float]
    offset: float

    def llrs(self, scores: np.ndarray) -> np.ndarray:
        """Map scores (trials, systems) to log likelihood ratios: float64, shape (trials,).

        An infinite score gives an infinite ratio.
        """
        return scores @ np.array(self.weights) + self.offset


def fit_calibration(
    scores: np.ndarray,
    is_target: np.ndarray,
    p_target: float,
    shares: np.ndarray | None = None,
) -> Calibration:
    """Fit prior-weighted logistic regression, of one system (calibration) or several (fusion).

    The two classes weigh p and 1 - p, however many trials they have, and logit(p) is taken off the
    offset (Bruemmer and de Villiers 2013, The BOSARIS Toolkit).

    Args:
        scores: shape (trials, systems).
        is_target: bool, shape (trials,).
        p_target: p, the effective prior of targets whose decisions count most.
        shares: how much each trial counts within its class, shape (trials,); None: all alike.

    Raises:
        ValueError: a class is missing, a score is not finite, or no solution is found.
    """
    scores, is_target = np.asarray(scores, dtype=np.float64), np.asarray(is_target, dtype=bool)
    _check_trials(scores, is_target)
    mean, deviation = scores.mean(axis=0), scores.std(axis=0)
    deviation[deviation == 0] = 1
    shares = np.ones(len(scores)) if shares is None else shares
    weights = np.where(
        is_target,
        p_target * shares / shares[is_target].sum(),
        (1 - p_target) * shares / shares[~is_target].sum(),
    )
    solution = _fit_logistic((scores - mean) / deviation, is_target, weights)
    slopes = solution[:-1] / deviation
    offset = solution[-1] - logit(p_target) - slopes @ mean
    return Calibration(slopes.tolist(), float(offset))


def _fit_logistic(scores: np.ndarray, is_target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weights, and last the offset, of least cost, which is convex.

    By Newton's method in a trust region. The same as scikit-learn's LogisticRegression, which takes
    a second to import.
    """
    signed = np.column_stack([scores, np.ones(len(scores))])
    signed[~is_target] *= -1
    ridge = np.full(signed.shape[1], REGULARISATION)
    ridge[-1] = 0

    def cost(x: np.ndarray) -> float:
        return float(weights @ np.logaddexp(0, -(signed @ x)) + x @ (ridge * x) / 2)

    def gradient(x: np.ndarray) -> np.ndarray:
        return ridge * x - (weights * expit(-(signed @ x))) @ signed

    def curvature(x: np.ndarray) -> np.ndarray:
        share = expit(-(signed @ x))
        return (signed.T * (weights * share * (1 - share))) @ signed + np.diag(ridge)

    start = np.zeros(signed.shape[1])
    options = {"gtol": TOLERANCE}
    found = minimize(
        cost, start, method="trust-exact", jac=gradient, hess=curvature, options=options
    )
    if np.abs(found.jac).max() > FAILURE:
        raise ValueError(f"calibration does not converge: {found.message}")
    return found.x


def _check_trials(scores: np.ndarray, is_target: np.ndarray) -> None:
    """Refuse trials of one class, and infinite scores."""
    num_targets, num_nontargets = int(is_target.sum()), int((~is_target).sum())
    if not num_targets or not num_nontargets:
        raise ValueError(
            f"{num_targets} target and {num_nontargets} nontarget trials: give calibration and "
            "fusion both kinds"
        )
    infinite = int((~np.isfinite(scores)).any(axis=1).sum())
    if infinite:
        raise ValueError(
            f"{infinite} of {len(scores)} trials have scores that are not finite: leave them out"
        )


def standardised_sum(scores: np.ndarray) -> np.ndarray:
    """Sum the systems' scores, each scaled to mean 0 and deviation 1 over the trials.

    Deep Speaker's score fusion (Li et al. 2017). A trial by itself has no such score.

    Args:
        scores: shape (trials, systems).

    Returns:
        float64, shape (trials,).
    """
    scores = np.asarray(scores, dtype=np.float64)
    deviation = scores.std(axis=0)
    return ((scores - scores.mean(axis=0)) / np.where(deviation == 0, 1, deviation)).sum(axis=1)
