"""Costs of log likelihood ratios by hand, against scikit-learn and an integral."""

import warnings

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import log_loss

from deep_speaker.metrics.detection_costs import P_TARGETS, min_dcf
from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.metrics.llr_costs import act_dcf, cllr
from support.labelled_scores import gaussian_llrs, random_trials, split


def test_act_dcf_by_hand() -> None:
    # The threshold of p = 0.5 is 0, and 0 itself is accepted.
    assert act_dcf(0.5)(*split([-1, 0, 2, -1, 0, 3, -2], "tttnnnn")) == pytest.approx(1 / 3 + 1 / 2)
    # ln 99 = 4.595 for 0.01: one of two misses; one of four false alarms costs 99 / 4.
    llrs = split([4.59, 4.6, 4.6, 4.59, 0, -5], "ttnnnn")
    assert act_dcf(0.01)(*llrs) == pytest.approx(1 / 2 + 99 / 4)
    assert act_dcf(0.99)(*split([-4.6, -4.59, -4.6, -4.59], "ttnn")) == pytest.approx(
        99 / 2 + 1 / 2
    )


@pytest.mark.parametrize("p_target", [0.001, 0.01, 0.3, 0.5, 0.9])
def test_an_llr_at_the_bayes_threshold_is_accepted(p_target: float) -> None:
    threshold = np.log((1 - p_target) / p_target)
    assert act_dcf(p_target)([threshold, -100], [True, False]) == 0
    below = np.nextafter(threshold, -np.inf)
    assert act_dcf(p_target)([100, below], [True, False]) == 0
    assert act_dcf(p_target)([100, threshold], [True, False]) > 0


def test_float32_llrs_are_compared_with_the_threshold_itself() -> None:
    accepted = set()
    for p_target in (0.01, 0.02, 0.05, 0.1, 0.2):
        threshold = np.log((1 - p_target) / p_target)
        llr = np.float32(threshold)  # rounded up, or down
        accepted.add(float(llr) >= threshold)
        missed = act_dcf(p_target)(np.array([llr, -9], np.float32), [True, False])
        assert missed == (float(llr) < threshold)
    assert len(accepted) == 2


def test_act_dcf_is_never_below_min_dcf() -> None:
    for seed in range(100):
        llrs, is_target = random_trials(seed)
        llrs = 3 * llrs - seed % 7
        for p_target in (*P_TARGETS, 0.5, 0.9):
            lowest = min_dcf(error_rates(llrs, is_target), p_target)
            assert act_dcf(p_target)(llrs, is_target) >= lowest


def test_calibrated_llrs_cost_little_more_than_the_minimum() -> None:
    llrs, is_target = gaussian_llrs(0, 3, 400_000)
    rates = error_rates(llrs, is_target)
    for p_target in (*P_TARGETS, 0.5):
        lowest = min_dcf(rates, p_target)
        actual = act_dcf(p_target)(llrs, is_target)
        assert lowest <= actual < 1.05 * lowest
        assert act_dcf(p_target)(llrs + 3, is_target) > 1.1 * lowest


def test_cllr_by_hand() -> None:
    assert cllr()(*split([0, 0, 0], "tnn")) == pytest.approx(1)  # LLRs that tell nothing: a bit
    # LR 3 and 1/3: log2(4 / 3) of each.
    assert cllr()(*split([np.log(3), -np.log(3)], "tn")) == pytest.approx(np.log2(4 / 3))
    assert cllr()(*split([-np.log(3), np.log(3)], "tn")) == pytest.approx(2)
    assert cllr()(*split([np.log(3), 0, 0], "ttn")) == pytest.approx((np.log2(4 / 3) / 2 + 1.5) / 2)


def test_cllr_agrees_with_scikit_learn() -> None:
    for seed in range(20):
        llrs, is_target = random_trials(seed)
        weights = np.where(is_target, 1 / is_target.sum(), 1 / (~is_target).sum())
        expected = log_loss(is_target, 1 / (1 + np.exp(-llrs)), sample_weight=weights) / np.log(2)
        assert cllr()(llrs, is_target) == pytest.approx(expected)
        assert cllr()(llrs.astype(np.float32), is_target) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("separation", [1, 3])
def test_cllr_of_calibrated_gaussians_is_that_of_an_integral(separation: float) -> None:
    def loss(score: float) -> float:  # of nontargets; that of targets is the same by symmetry
        llr = separation * score - separation**2 / 2
        return float(norm.pdf(score) * np.log2(1 + np.exp(llr)))

    expected, _ = quad(loss, -10, 10 + separation)
    found = cllr()(*gaussian_llrs(1, separation, 400_000))
    assert found == pytest.approx(expected, rel=0.02)
    assert found == pytest.approx(expected, abs=0.005)


def test_infinite_llrs_cost_nothing_or_without_end_and_warn_of_nothing() -> None:
    inf = float("inf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cllr()(*split([inf, -inf], "tn")) == 0
        assert cllr()(*split([inf, 0, -inf, 0], "ttnn")) == pytest.approx(1 / 2)
        assert cllr()(*split([-inf, 5, -5], "ttn")) == inf
        assert cllr()(*split([5, inf, -inf], "tnn")) == inf
        assert cllr()(*split([-inf, inf], "tn")) == inf
        assert cllr()(*split([1e5, -1e5], "tn")) == 0  # e^100000 is not computed
        assert cllr()(*split([-1e5, 1e5], "tn")) == pytest.approx(1e5 / np.log(2))
        assert act_dcf(0.5)(*split([-inf, inf, -inf, inf], "ttnn")) == 1
