"""Detection costs by hand, and against trying every threshold."""

import numpy as np
import pytest

from deep_speaker.metrics.detection_costs import min_dcf
from deep_speaker.metrics.error_rates import error_rates
from support.labelled_scores import random_trials, split


@pytest.mark.parametrize("p_target", [0.001, 0.01, 0.05, 0.5, 0.9])
def test_min_dcf_agrees_with_trying_every_threshold(p_target: float) -> None:
    for seed in range(20):
        scores, is_target = random_trials(seed)
        costs = []
        for threshold in [*scores, np.inf]:
            miss = (scores[is_target] < threshold).mean()
            false_alarm = (scores[~is_target] >= threshold).mean()
            costs.append(p_target * miss + (1 - p_target) * false_alarm)
        expected = min(costs) / min(p_target, 1 - p_target)
        assert min_dcf(error_rates(scores, is_target), p_target) == pytest.approx(expected)


def test_min_dcf_by_hand() -> None:
    rates = error_rates(*split([1, 2, 3, 4, 5, 6], "nntntt"))
    # Threshold 5 misses 1/3 and lets none through; 3 misses none and lets 1/3 through.
    assert min_dcf(rates, 0.01) == pytest.approx(1 / 3)
    assert min_dcf(rates, 0.5) == pytest.approx(1 / 3)
    assert min_dcf(rates, 0.9) == pytest.approx(1 / 3)  # 0.1 / 3 / 0.1


@pytest.mark.parametrize("p_target", [0.001, 0.05, 0.5, 0.99])
def test_min_dcf_of_scores_that_tell_nothing_is_1_and_of_perfect_ones_0(p_target: float) -> None:
    assert min_dcf(error_rates(*split([7, 7, 7, 7], "tnnn")), p_target) == pytest.approx(1)
    assert min_dcf(error_rates(*split([1, 2, 3, 4], "ttnn")), p_target) == pytest.approx(1)
    assert min_dcf(error_rates(*split([1, 2, 3, 4], "nntt")), p_target) == 0


@pytest.mark.parametrize(("scores", "expected"), [((2, 1), 0), ((1, 2), 1), ((1, 1), 1)])
def test_one_trial_of_each_kind(scores: tuple[float, float], expected: float) -> None:
    """Accepting or rejecting both costs 1."""
    assert min_dcf(error_rates(*split(list(scores), "tn")), 0.5) == expected


def test_infinite_scores_are_ordinary_extremes() -> None:
    inf = float("inf")
    assert min_dcf(error_rates(*split([-inf, 1, inf], "ntt")), 0.01) == 0
