"""Calibration and fusion of Gaussian scores, whose log likelihood ratios are known."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logit

from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.scoring.calibration import fit_calibration, standardised_sum

TARGETS, NONTARGETS = 5.0, -3.0  # means; with deviation 2, LLR = 2 s - 2
PRIORS = (0.01, 0.05, 0.5)


def draw_scores(num_trials: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One target in twenty trials."""
    rng = np.random.default_rng(seed)
    is_target = np.arange(num_trials) % 20 == 0
    means = np.where(is_target, TARGETS, NONTARGETS)
    return rng.normal(means, 2)[:, None], is_target


def slow_fit(scores: np.ndarray, is_target: np.ndarray, p_target: float) -> np.ndarray:
    """Weight and offset of least prior-weighted cost, not regularised."""
    signs = np.where(is_target, 1, -1)
    weights = np.where(is_target, p_target / is_target.sum(), (1 - p_target) / (~is_target).sum())

    def cost(x: np.ndarray) -> float:
        llrs = scores[:, 0] * x[0] + x[1]
        return float(weights @ np.logaddexp(0, -signs * (llrs + logit(p_target))))

    return minimize(cost, [1, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15}).x


@pytest.mark.parametrize("p_target", PRIORS)
def test_the_planted_map_is_found(p_target: float) -> None:
    calibration = fit_calibration(*draw_scores(400_000, 0), p_target)
    assert calibration.weights == pytest.approx([2], rel=0.05)
    assert calibration.offset == pytest.approx(-2, abs=0.1)
    assert calibration.llrs(np.array([[1.0], [3.0]])) == pytest.approx([0, 4], abs=0.1)


@pytest.mark.parametrize("p_target", PRIORS)
def test_the_cost_weighted_by_the_prior_is_least(p_target: float) -> None:
    scores, is_target = draw_scores(2000, 1)
    calibration = fit_calibration(scores, is_target, p_target)
    expected = slow_fit(scores, is_target, p_target)
    assert [*calibration.weights, calibration.offset] == pytest.approx(expected, rel=0.01)


def test_units_of_the_scores_do_not_matter() -> None:
    scores, is_target = draw_scores(2000, 2)
    llrs = fit_calibration(scores, is_target, 0.05).llrs(scores)
    for scale, shift in ((1e-6, 0.9), (1e6, -1e7)):
        changed = scale * scores + shift
        calibration = fit_calibration(changed, is_target, 0.05)
        assert calibration.llrs(changed) == pytest.approx(llrs, abs=1e-4)


def test_classes_that_scores_separate_get_finite_llrs_of_the_right_sign() -> None:
    is_target = np.arange(40) % 2 == 0
    scores = np.where(is_target, 1.0, -1.0)[:, None]
    calibration = fit_calibration(scores, is_target, 0.05)
    llrs = calibration.llrs(scores)
    assert llrs == pytest.approx(np.where(is_target, 12, -12), abs=5)
    assert fit_calibration(scores * 0, is_target, 0.05).weights == pytest.approx([0], abs=1e-12)


def test_two_systems_together_are_better_than_each() -> None:
    """Independent ones, the second of other units; their true weights are 2 and 0.002."""
    first, is_target = draw_scores(100_000, 3)
    both = np.hstack([first, 1000 * draw_scores(100_000, 4)[0]])
    calibration = fit_calibration(both, is_target, 0.05)
    assert calibration.weights == pytest.approx([2, 0.002], rel=0.15)
    errors = [equal_error_rate(error_rates(column, is_target)) for column in both.T]
    for fused in (calibration.llrs(both), standardised_sum(both)):
        assert equal_error_rate(error_rates(fused, is_target)) < 0.4 * min(errors)


def test_fusion_leaves_a_system_of_noise_out() -> None:
    scores, is_target = draw_scores(50_000, 5)
    noise = np.random.default_rng(6).normal(size=len(scores))
    weights = fit_calibration(np.column_stack([scores, noise]), is_target, 0.05).weights
    assert abs(weights[1]) < 0.05 * weights[0]


def test_a_missing_class_or_an_infinite_score_is_refused() -> None:
    scores, is_target = draw_scores(100, 7)
    with pytest.raises(ValueError, match=r"^0 target and 95 nontarget "):
        fit_calibration(scores[~is_target], is_target[~is_target], 0.05)
    with pytest.raises(ValueError, match=r"^5 target and 0 nontarget "):
        fit_calibration(scores[is_target], is_target[is_target], 0.05)
    scores[3], scores[4] = np.inf, np.nan
    with pytest.raises(ValueError, match=r"^2 of 100 "):
        fit_calibration(scores, is_target, 0.05)


def test_standardised_scores_are_summed() -> None:
    """By hand: (0, 2) and (10, 30) both become (-1, 1); a constant adds nothing."""
    assert standardised_sum(np.array([[0, 10, 7], [2, 30, 7]])).tolist() == [-2, 2]
