"""Error rates by hand, against brute force, and against scikit-learn."""

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from deep_speaker.metrics import error_rates as module
from deep_speaker.metrics.error_rates import (
    ErrorRates,
    equal_error_rate,
    equal_error_rates,
    error_rates,
)
from deep_speaker.metrics.llr_costs import act_dcf, cllr
from support.labelled_scores import random_trials, split


def eer(scores: list[float], targets: str) -> float:
    return equal_error_rate(error_rates(*split(scores, targets)))


def test_rates_by_hand() -> None:
    rates = error_rates(*split([0.5, 0.1, 0.9, 0.5, 0.3], "tnttn"))
    assert rates.miss == pytest.approx([0, 0, 2 / 3, 1])
    assert rates.false_alarm == pytest.approx([1, 0, 0, 0])
    # Between 0.1 and 0.5, at 0.3, the curve goes straight on; equal scores stand once.
    assert rates.thresholds.tolist() == [0.1, 0.5, 0.9, np.inf]


def test_rates_around_a_tie_by_hand() -> None:
    rates = error_rates(*split([1, 2, 3, 3, 4, 5], "nntnnn"))
    assert rates.thresholds.tolist() == [1, 3, 4, np.inf]
    assert rates.miss == pytest.approx([0, 0, 1, 1])
    assert rates.false_alarm == pytest.approx([1, 3 / 5, 2 / 5, 0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rates_equal_counting_at_each_threshold(dtype: type) -> None:
    for seed in range(20):
        scores, is_target = random_trials(seed)
        scores = scores.astype(dtype)
        rates = error_rates(scores, is_target)
        assert rates.thresholds.dtype == dtype
        assert set(scores[is_target]) <= set(rates.thresholds.tolist())
        assert len(rates.miss) <= 2 * len(set(scores[is_target])) + 2
        for i, threshold in enumerate(rates.thresholds):
            assert rates.miss[i] == pytest.approx((scores[is_target] < threshold).mean())
            assert rates.false_alarm[i] == pytest.approx((scores[~is_target] >= threshold).mean())
        assert (rates.miss[0], rates.false_alarm[0]) == (0, 1)
        assert (rates.miss[-1], rates.false_alarm[-1]) == (1, 0)


def test_rates_joined_by_lines_are_scikit_learn_s_curve() -> None:
    for seed in range(60):
        scores, is_target = random_trials(seed)
        rates = error_rates(scores, is_target)
        false_alarm, hit, _ = roc_curve(is_target, scores, drop_intermediate=False)
        # Along a polyline that only rises, the sum of both coordinates tells where one is.
        place = rates.false_alarm[::-1] + 1 - rates.miss[::-1]
        for mine, theirs in ((rates.false_alarm, false_alarm), (1 - rates.miss, hit)):
            assert np.interp(false_alarm + hit, place, mine[::-1]) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("scores", "targets", "expected"),
    [
        ([1, 2, 3, 4], "nntt", 0),
        ([1, 2, 3, 4], "ttnn", 1),  # reversed
        ([1, 2, 3, 4], "ntnt", 1 / 2),
        ([1, 2, 3, 4, 5, 6], "nntntt", 1 / 3),
        ([5, 5, 5, 5, 5], "tnnnn", 1 / 2),  # nothing tells them apart
        # From (miss 0, false alarm 1/2) straight to (1/2, 0), over the tie in the middle.
        ([1, 2, 2, 3], "nntt", 1 / 4),
        # From (0, 1/3) to (1/4, 1/3) to (1/4, 0): a vertical piece.
        ([1, 2, 3, 4, 5, 6, 7], "nntnttt", 1 / 4),
        # From (0, 1/4) to (1/2, 1/4): a horizontal one.
        ([1, 2, 3, 4, 5, 6], "nnntnt", 1 / 4),
        # Ties at one threshold: from (0, 2/3) to (1/2, 1/3); 2/3 - x/3 = x/2 at x = 4/5.
        ([1, 2, 2, 3, 4], "nntnt", 2 / 5),
    ],
)
def test_equal_error_rate_by_hand(scores: list[float], targets: str, expected: float) -> None:
    assert eer(scores, targets) == pytest.approx(expected)


def test_equal_error_rate_agrees_with_scikit_learn() -> None:
    for seed in range(60):
        scores, is_target = random_trials(seed)
        false_alarm, hit, _ = roc_curve(is_target, scores, drop_intermediate=False)
        curve = interp1d(false_alarm, hit)
        expected = brentq(lambda rate, curve=curve: 1 - rate - curve(rate), 0, 1)
        assert equal_error_rate(error_rates(scores, is_target)) == pytest.approx(expected, abs=1e-9)


def test_blocks_change_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [random_trials(seed) for seed in range(30)]
    whole = [error_rates(*trials) for trials in drawn]
    monkeypatch.setattr(module, "TRIALS_AT_ONCE", 7)
    for trials, expected in zip(drawn, whole, strict=True):
        for mine, other in zip(error_rates(*trials), expected, strict=True):
            assert mine.tolist() == other.tolist()


def test_equal_error_rate_depends_on_the_order_of_scores_only() -> None:
    scores, is_target = random_trials(3)
    expected = equal_error_rate(error_rates(scores, is_target))
    shuffled = np.random.default_rng(0).permutation(len(scores))
    for same in (np.exp(scores), 1e6 * scores - 5, scores.astype(np.float32)):
        assert equal_error_rate(error_rates(same, is_target)) == pytest.approx(expected)
    assert equal_error_rate(error_rates(scores[shuffled], is_target[shuffled])) == expected
    assert equal_error_rate(error_rates(-scores, ~is_target)) == pytest.approx(expected)


def test_infinite_scores_are_ordinary_extremes() -> None:
    inf = float("inf")
    assert eer([-inf, -inf, inf, inf], "nntt") == 0
    assert eer([-inf, 0, 0, inf], "nntt") == 0.25
    assert eer([inf, inf, inf], "ntt") == 0.5
    rates = error_rates(*split([-inf, 1, inf, inf], "ntnt"))
    assert rates.thresholds.tolist() == [-inf, 1, inf, inf]  # the last accepts not even +inf
    assert rates.miss.tolist() == [0, 0, 1 / 2, 1]
    assert rates.false_alarm.tolist() == [1, 1 / 2, 1 / 2, 0]


def test_infinite_scores_rank_as_the_largest_finite_ones() -> None:
    for seed in range(20):
        scores, is_target = random_trials(seed)
        clipped = np.clip(scores, -0.5, 1.5)
        infinite = np.where(scores >= 1.5, np.inf, np.where(scores <= -0.5, -np.inf, scores))
        finite, other = error_rates(clipped, is_target), error_rates(infinite, is_target)
        assert other.miss.tolist() == finite.miss.tolist()
        assert other.false_alarm.tolist() == finite.false_alarm.tolist()


@pytest.mark.parametrize(("scores", "expected"), [((2, 1), 0), ((1, 2), 1), ((1, 1), 1 / 2)])
def test_one_trial_of_each_kind(scores: tuple[float, float], expected: float) -> None:
    assert eer(list(scores), "tn") == expected


def test_several_curves_have_a_rate_each() -> None:
    miss = np.array([[0, 0], [0, 1 / 2], [1, 1]])
    false_alarm = np.array([[1, 1], [1 / 2, 1 / 2], [0, 0]])
    rates = ErrorRates(miss, false_alarm, np.array([1, 2, np.inf]))
    assert equal_error_rates(rates) == pytest.approx([1 / 3, 1 / 2])


def test_scores_may_be_integers_and_float32_ones_are_not_rounded_further() -> None:
    assert equal_error_rate(error_rates([1, 2, 3, 4], [0, 1, 0, 1])) == 1 / 2
    near = np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert equal_error_rate(error_rates(near, [False, True])) == 0


# Refusals

REFUSED = [
    ([1, 2], "tt", "2 target.* 0 nontarget"),
    ([1, 2, 3], "nnn", "0 target.* 3 nontarget"),
    ([], "", "0 target.* 0 nontarget"),
    ([1, float("nan"), 3, float("nan")], "tntn", "2 of 4"),
    ([1, 2, 3], "tn", r"\(3,\).*\(2,\)"),
]


@pytest.mark.parametrize(("scores", "targets", "message"), REFUSED)
def test_what_has_no_error_rate_is_refused(scores: list[float], targets: str, message: str) -> None:
    for compute in (error_rates, act_dcf(0.01), cllr()):
        with pytest.raises(ValueError, match=message):
            compute(*split(scores, targets))
