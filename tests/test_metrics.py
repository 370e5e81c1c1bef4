"""Error rates by hand, against brute force, and against scikit-learn."""

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from deep_speaker.metrics import (
    equal_error_rate,
    error_rates,
    identification_accuracy,
    min_dcf,
)


def split(scores: list[float], targets: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and which are targets from a string of t and n."""
    return np.array(scores, float), np.array([letter == "t" for letter in targets])


def eer(scores: list[float], targets: str) -> float:
    return equal_error_rate(error_rates(*split(scores, targets)))


def random_trials(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes; every other seed with many ties."""
    rng = np.random.default_rng(seed)
    is_target = rng.random(int(rng.integers(10, 300))) < rng.uniform(0.1, 0.9)
    is_target[:2] = True, False
    scores = rng.normal(0, 1, len(is_target)) + 1.2 * is_target
    return (np.round(scores, 1) if seed % 2 else scores), is_target


def test_rates_at_every_threshold_by_hand() -> None:
    rates = error_rates(*split([0.5, 0.1, 0.9, 0.5, 0.3], "tnttn"))
    assert rates.miss == pytest.approx([0, 0, 0, 2 / 3, 1])
    assert rates.false_alarm == pytest.approx([1, 0.5, 0, 0, 0])
    assert rates.thresholds.tolist() == [0.1, 0.3, 0.5, 0.9]  # equal scores stand once


def test_rates_equal_counting_at_each_threshold() -> None:
    for seed in range(20):
        scores, is_target = random_trials(seed)
        rates = error_rates(scores, is_target)
        assert rates.thresholds.tolist() == sorted(set(scores))
        for i, threshold in enumerate(rates.thresholds):
            assert rates.miss[i] == pytest.approx((scores[is_target] < threshold).mean())
            assert rates.false_alarm[i] == pytest.approx((scores[~is_target] >= threshold).mean())
        assert (rates.miss[-1], rates.false_alarm[-1]) == (1, 0)


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
    rates = error_rates(*split([-inf, 1, inf], "ntt"))
    assert min_dcf(rates, 0.01) == 0


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


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([1, 2], "tt", "2 target and 0 nontarget trials: both kinds are needed"),
        ([1, 2, 3], "nnn", "0 target and 3 nontarget trials"),
        ([], "", "0 target and 0 nontarget trials"),
        ([1, float("nan"), 3, float("nan")], "tntn", "2 of 4 scores are not numbers"),
    ],
)
def test_what_has_no_error_rate_is_refused(scores: list[float], targets: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        error_rates(*split(scores, targets))


# Identification


def accuracy(anchors: str, scores: list[float], targets: str, rank: int = 1) -> float:
    return identification_accuracy(list(anchors), *split(scores, targets), rank)


def test_identification_accuracy_by_hand() -> None:
    # a is found, b loses to one negative, c ties (a failure); in any order of trials.
    assert accuracy("aaabbbcc", [0.9, 0.1, 0.8, 0.5, 0.6, 0.1, 0.3, 0.3], "tnntnntn") == 1 / 3
    assert accuracy("cbabacba", [0.3, 0.1, 0.8, 0.6, 0.1, 0.3, 0.5, 0.9], "nnnnnttt") == 1 / 3


def test_the_best_of_several_positives_counts() -> None:
    assert accuracy("aaabbb", [0.2, 0.7, 0.6, 0.1, 0.2, 0.3], "ttnttn") == 1 / 2


def test_anchors_without_a_positive_or_a_negative_do_not_count() -> None:
    assert accuracy("aabbc", [0.9, 0.1, 0.2, 0.3, 0.4], "tnnnt") == 1
    with pytest.raises(ValueError, match="no anchor has both a positive and a negative"):
        accuracy("aab", [1, 2, 3], "nnt")


def test_infinite_scores_identify_like_others() -> None:
    inf = float("inf")
    assert accuracy("aabb", [0.5, -inf, 0.5, inf], "tntn") == 1 / 2


def test_a_score_that_is_not_a_number_identifies_nobody() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        accuracy("aabb", [0.9, float("nan"), 0.9, 0.1], "tntn")


def test_ranks_of_a_matrix_by_hand() -> None:
    """Tests a to d against six models, the first of them their speaker's."""
    scores = [
        [0.9, 0.1, 0.2, 0.3, 0.4, 0.5],  # a: the best
        [0.5, 0.9, 0.1, 0.2, 0.3, 0.4],  # b: the second
        [0.5, 0.6, 0.7, 0.5, 0.1, 0.2],  # c: a tie for the third, which is the fourth
        [0.1, 0.9, 0.8, 0.7, 0.6, 0.5],  # d: the last
    ]
    flat = [score for row in scores for score in row]
    shares = [
        accuracy("aaaaaabbbbbbccccccdddddd", flat, "tnnnnn" * 4, rank) for rank in range(1, 8)
    ]
    assert shares == [1 / 4, 1 / 2, 1 / 2, 3 / 4, 3 / 4, 1, 1]


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_ranks_agree_with_sorting_each_anchor_s_scores(rank: int) -> None:
    rng = np.random.default_rng(rank)
    scores = np.round(rng.normal(0, 1, (50, 12)), 1)  # with ties
    right = rng.integers(12, size=50)
    is_target = np.arange(12) == right[:, None]
    hits = []
    for row, own in zip(scores, right, strict=True):
        others = sorted(np.delete(row, own), reverse=True)
        hits.append(row[own] > others[rank - 1])
    order = rng.permutation(600)
    anchors = np.repeat([f"t{i}" for i in range(50)], 12)[order].tolist()
    shuffled = scores.ravel()[order], is_target.ravel()[order]
    assert identification_accuracy(anchors, *shuffled, rank) == pytest.approx(np.mean(hits))
    assert 0 < np.mean(hits) < 1
