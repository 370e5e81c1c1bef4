"""Error rates by hand, against brute force, and against scikit-learn."""

import warnings

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import log_loss, roc_curve

from deep_speaker.metrics.detection_costs import P_TARGETS, act_dcf, cllr, min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.identification import identification_accuracy, identified_anchors


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
    lowest = min(2 * expected, 1)  # accepting or rejecting both costs 1
    assert min_dcf(error_rates(*split(list(scores), "tn")), 0.5) == lowest


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


# Log likelihood ratios


def gaussian_llrs(seed: int, separation: float, num_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated LLRs: of scores from N(d, 1) and N(0, 1), d x - d^2 / 2."""
    rng = np.random.default_rng(seed)
    is_target = np.arange(num_trials) % 2 == 0
    scores = rng.normal(0, 1, num_trials) + separation * is_target
    return separation * scores - separation**2 / 2, is_target


def test_act_dcf_by_hand() -> None:
    # The threshold of p = 0.5 is 0, and 0 itself is accepted.
    assert act_dcf(*split([-1, 0, 2, -1, 0, 3, -2], "tttnnnn"), 0.5) == pytest.approx(1 / 3 + 1 / 2)
    # ln 99 = 4.595 for 0.01: one of two misses; one of four false alarms costs 99 / 4.
    llrs = split([4.59, 4.6, 4.6, 4.59, 0, -5], "ttnnnn")
    assert act_dcf(*llrs, 0.01) == pytest.approx(1 / 2 + 99 / 4)
    assert act_dcf(*split([-4.6, -4.59, -4.6, -4.59], "ttnn"), 0.99) == pytest.approx(
        99 / 2 + 1 / 2
    )


@pytest.mark.parametrize("p_target", [0.001, 0.01, 0.3, 0.5, 0.9])
def test_an_llr_at_the_bayes_threshold_is_accepted(p_target: float) -> None:
    threshold = np.log((1 - p_target) / p_target)
    assert act_dcf([threshold, -100], [True, False], p_target) == 0
    below = np.nextafter(threshold, -np.inf)
    assert act_dcf([100, below], [True, False], p_target) == 0
    assert act_dcf([100, threshold], [True, False], p_target) > 0


def test_float32_llrs_are_compared_with_the_threshold_itself() -> None:
    accepted = set()
    for p_target in (0.01, 0.02, 0.05, 0.1, 0.2):
        threshold = np.log((1 - p_target) / p_target)
        llr = np.float32(threshold)  # rounded up, or down
        accepted.add(float(llr) >= threshold)
        missed = act_dcf(np.array([llr, -9], np.float32), [True, False], p_target)
        assert missed == (float(llr) < threshold)
    assert len(accepted) == 2


def test_act_dcf_is_never_below_min_dcf() -> None:
    for seed in range(100):
        llrs, is_target = random_trials(seed)
        llrs = 3 * llrs - seed % 7
        for p_target in (*P_TARGETS, 0.5, 0.9):
            lowest = min_dcf(error_rates(llrs, is_target), p_target)
            assert act_dcf(llrs, is_target, p_target) >= lowest


def test_calibrated_llrs_cost_little_more_than_the_minimum() -> None:
    llrs, is_target = gaussian_llrs(0, 3, 400_000)
    rates = error_rates(llrs, is_target)
    for p_target in (*P_TARGETS, 0.5):
        lowest = min_dcf(rates, p_target)
        actual = act_dcf(llrs, is_target, p_target)
        assert lowest <= actual < 1.05 * lowest
        assert act_dcf(llrs + 3, is_target, p_target) > 1.1 * lowest


def test_cllr_by_hand() -> None:
    assert cllr(*split([0, 0, 0], "tnn")) == pytest.approx(1)  # LLRs that tell nothing: a bit
    # LR 3 and 1/3: log2(4 / 3) of each.
    assert cllr(*split([np.log(3), -np.log(3)], "tn")) == pytest.approx(np.log2(4 / 3))
    assert cllr(*split([-np.log(3), np.log(3)], "tn")) == pytest.approx(2)
    assert cllr(*split([np.log(3), 0, 0], "ttn")) == pytest.approx((np.log2(4 / 3) / 2 + 1.5) / 2)


def test_cllr_agrees_with_scikit_learn() -> None:
    for seed in range(20):
        llrs, is_target = random_trials(seed)
        weights = np.where(is_target, 1 / is_target.sum(), 1 / (~is_target).sum())
        expected = log_loss(is_target, 1 / (1 + np.exp(-llrs)), sample_weight=weights) / np.log(2)
        assert cllr(llrs, is_target) == pytest.approx(expected)
        assert cllr(llrs.astype(np.float32), is_target) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("separation", [1, 3])
def test_cllr_of_calibrated_gaussians_is_that_of_an_integral(separation: float) -> None:
    def loss(score: float) -> float:  # of nontargets; that of targets is the same by symmetry
        llr = separation * score - separation**2 / 2
        return float(norm.pdf(score) * np.log2(1 + np.exp(llr)))

    expected, _ = quad(loss, -10, 10 + separation)
    found = cllr(*gaussian_llrs(1, separation, 400_000))
    assert found == pytest.approx(expected, rel=0.02)
    assert found == pytest.approx(expected, abs=0.005)


def test_infinite_llrs_cost_nothing_or_without_end_and_warn_of_nothing() -> None:
    inf = float("inf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cllr(*split([inf, -inf], "tn")) == 0
        assert cllr(*split([inf, 0, -inf, 0], "ttnn")) == pytest.approx(1 / 2)
        assert cllr(*split([-inf, 5, -5], "ttn")) == inf
        assert cllr(*split([5, inf, -inf], "tnn")) == inf
        assert cllr(*split([-inf, inf], "tn")) == inf
        assert cllr(*split([1e5, -1e5], "tn")) == 0  # e^100000 is not computed
        assert cllr(*split([-1e5, 1e5], "tn")) == pytest.approx(1e5 / np.log(2))
        assert act_dcf(*split([-inf, inf, -inf, inf], "ttnn"), 0.5) == 1


def test_scores_may_be_integers_and_float32_ones_are_not_rounded_further() -> None:
    assert equal_error_rate(error_rates([1, 2, 3, 4], [0, 1, 0, 1])) == 1 / 2
    near = np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert equal_error_rate(error_rates(near, [False, True])) == 0


# What is refused


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([1, 2], "tt", "2 target and 0 nontarget trials: both kinds are needed"),
        ([1, 2, 3], "nnn", "0 target and 3 nontarget trials"),
        ([], "", "0 target and 0 nontarget trials"),
        ([1, float("nan"), 3, float("nan")], "tntn", "2 of 4 scores are not numbers"),
        ([1, 2, 3], "tn", r"scores of shape \(3,\) for trials of shape \(2,\)"),
    ],
)
def test_what_has_no_error_rate_is_refused(scores: list[float], targets: str, message: str) -> None:
    llrs, is_target = split(scores, targets)
    with pytest.raises(ValueError, match=message):
        error_rates(llrs, is_target)
    with pytest.raises(ValueError, match=message):
        act_dcf(llrs, is_target, 0.01)
    with pytest.raises(ValueError, match=message):
        cllr(llrs, is_target)


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


def test_anchors_may_be_integer_codes() -> None:
    scores, is_target = split([0.9, 0.1, 0.8, 0.5, 0.6, 0.1, 0.3, 0.3], "tnntnntn")
    names = np.array(list("aaabbbcc"))
    for codes in (
        [7, 7, 7, 2, 2, 2, 100_000, 100_000],
        np.repeat([3, 1, 2], [3, 3, 2]).astype(np.int32),
    ):
        assert identification_accuracy(codes, scores, is_target) == 1 / 3
    assert identification_accuracy(names, scores, is_target) == 1 / 3
    found, identified = identified_anchors([7, 7, 7, 2, 2, 2, 9, 9], scores, is_target)
    assert (found.tolist(), identified.tolist()) == ([2, 7, 9], [False, True, False])
