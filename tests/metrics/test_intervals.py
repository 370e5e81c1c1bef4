"""Intervals by resampling speakers: against repeating their trials, and of known error rates."""

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from deep_speaker.metrics import intervals
from deep_speaker.metrics.detection_costs import P_TARGETS, act_dcf, cllr, min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.identification import identification_accuracy
from deep_speaker.metrics.intervals import SpeakerBootstrap, choose_thresholds

Corpus = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # enroll, test, is_target, scores


def make_corpus(seed: int, num_speakers: int, separation: float = 3, per_pair: int = 4) -> Corpus:
    """Scores with effects of the speakers, in every class of variance 1; d apart on average.

    So over all speakers that there could be the EER is that of two Gaussians, Phi(-d / 2).
    """
    rng = np.random.default_rng(seed)
    ease, likeness = rng.normal(0, 0.5**0.5, num_speakers), rng.normal(0, 0.5, num_speakers)
    pairs = np.array([*combinations(range(num_speakers), 2)]).repeat(per_pair, axis=0)
    own = np.arange(num_speakers).repeat(5 * per_pair)
    enroll, test = np.concatenate([own, pairs[:, 0]]), np.concatenate([own, pairs[:, 1]])
    is_target = enroll == test
    means = np.where(is_target, separation + ease[enroll], likeness[enroll] + likeness[test])
    return enroll, test, is_target, means + rng.normal(0, 0.5**0.5, len(enroll))


def repeated_rows(corpus: Corpus, times: np.ndarray) -> np.ndarray:
    """Rows of the trials of a replicate in which each speaker occurs so many times."""
    enroll, test, is_target, _ = corpus
    counts = np.where(is_target, times[enroll], times[enroll] * times[test])
    return np.arange(len(enroll)).repeat(counts)


def flat(found: dict[str, Any]) -> list[float]:
    """The ends of all intervals."""
    costs = [*found["min_dcf"].values(), *found["act_dcf"].values()]
    return [end for interval in (found["eer_percent"], *costs, found["cllr"]) for end in interval]


def drawn_times(num_speakers: int, num_replicates: int, seed: int) -> np.ndarray:
    shares = np.full(num_speakers, 1 / num_speakers)
    return np.random.default_rng(seed).multinomial(num_speakers, shares, num_replicates)


@pytest.mark.parametrize("seed", range(6))
def test_intervals_are_those_of_trials_repeated_one_by_one(seed: int) -> None:
    num_speakers = 4 + seed
    enroll, test, is_target, scores = corpus = make_corpus(seed, num_speakers, separation=1.5)
    scores = np.round(scores, 1) if seed % 2 else scores  # with ties
    llrs = 1.5 * scores - 1
    figures: dict[str, list[float]] = {"eer": [], "cllr": []}
    for times in drawn_times(num_speakers, 150, seed):
        rows = repeated_rows(corpus, times)
        if len(set(is_target[rows])) < 2:
            continue
        rates = error_rates(scores[rows], is_target[rows])
        figures["eer"].append(100 * equal_error_rate(rates))
        figures["cllr"].append(cllr(llrs[rows], is_target[rows]))
        for p in P_TARGETS:
            figures.setdefault(f"min {p:g}", []).append(min_dcf(rates, p))
            actual = act_dcf(llrs[rows], is_target[rows], p)
            figures.setdefault(f"act {p:g}", []).append(actual)
    expected = {name: np.quantile(values, [0.025, 0.975]) for name, values in figures.items()}
    found = SpeakerBootstrap(enroll, test, is_target, 150, seed).intervals(scores, llrs)
    assert found["eer_percent"] == pytest.approx(expected["eer"], rel=1e-6)
    assert found["cllr"] == pytest.approx(expected["cllr"], rel=1e-6)
    for kind in ("min", "act"):
        costs = found[f"{kind}_dcf"]
        assert list(costs) == ["0.01", "0.05", "0.001"]
        for p_target, interval in costs.items():
            low, high = expected[f"{kind} {p_target}"]
            # Where all replicates cost the same, as all reject everything, there is no interval.
            assert interval is None if low == high else interval == pytest.approx([low, high])


def test_the_interval_covers_the_error_rate_of_all_speakers() -> None:
    """60 corpora of 25 speakers each; percentile intervals of so few cover a little under 95 %."""
    expected = 100 * norm.cdf(-1.5)
    covered, naive, widths = 0, 0, []
    for seed in range(60):
        enroll, test, is_target, scores = make_corpus(seed, 25)
        found = SpeakerBootstrap(enroll, test, is_target, 200, seed).intervals(scores)
        low, high = found["eer_percent"]
        covered += low <= expected <= high
        widths.append(high - low)
        # As if trials were independent: a standard error from as many targets.
        rate = equal_error_rate(error_rates(scores, is_target))
        error = 196 * (rate * (1 - rate) / is_target.sum()) ** 0.5
        naive += abs(100 * rate - expected) <= error
    assert 0.85 * 60 <= covered <= 60
    assert naive < 0.8 * 60
    assert 1 < np.mean(widths) < 8


def test_more_speakers_make_a_narrower_interval_few_a_wide_one() -> None:
    widths = []
    for num_speakers in (4, 6, 12, 48):
        found = []
        for seed in range(8):
            enroll, test, is_target, scores = make_corpus(seed, num_speakers, separation=2)
            drawn = SpeakerBootstrap(enroll, test, is_target, 200)
            low, high = drawn.intervals(scores)["eer_percent"]
            assert low < 100 * equal_error_rate(error_rates(scores, is_target)) < high
            found.append(high - low)
        widths.append(np.mean(found))
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 10
    # As one over the root of the number of speakers, about.
    assert 1.5 < widths[2] / widths[3] < 2.7


@pytest.mark.parametrize("num_speakers", [40, 200])
def test_thinned_thresholds_give_nearly_the_exact_figures(num_speakers: int) -> None:
    """In the replicate in which every speaker occurs once."""
    per_pair = 20 if num_speakers == 40 else 5
    _, _, is_target, scores = make_corpus(0, num_speakers, 4, per_pair)
    rates = error_rates(scores, is_target)
    assert 0.01 < equal_error_rate(rates) < 0.04
    chosen = choose_thresholds(rates)
    assert len(chosen) < 0.95 * len(rates.thresholds)
    assert chosen[0] == rates.thresholds[0]
    kept = np.append(np.isin(rates.thresholds[:-1], chosen), True)
    thinned = type(rates)(*(column[kept] for column in rates))
    assert 100 * abs(equal_error_rate(thinned) - equal_error_rate(rates)) < 0.02
    for p_target in P_TARGETS:
        assert 0 <= min_dcf(thinned, p_target) - min_dcf(rates, p_target) < 0.001


def test_few_or_many_replicates_at_once_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    enroll, test, is_target, scores = make_corpus(2, 12)
    everything = SpeakerBootstrap(enroll, test, is_target, 100).intervals(scores, 4 * scores)
    monkeypatch.setattr(intervals, "WEIGHTS_AT_ONCE", 66 * 7)
    sevens = SpeakerBootstrap(enroll, test, is_target, 100).intervals(scores, 4 * scores)
    monkeypatch.setattr(intervals, "WEIGHTS_AT_ONCE", 1)
    ones = SpeakerBootstrap(enroll, test, is_target, 100).intervals(scores, 4 * scores)
    assert flat(sevens) == pytest.approx(flat(everything), rel=1e-5)
    assert flat(ones) == pytest.approx(flat(everything), rel=1e-5)


def test_draws_follow_the_seed_alone() -> None:
    enroll, test, is_target, scores = make_corpus(3, 10)

    def interval(seed: int, codes: np.ndarray) -> object:
        drawn = SpeakerBootstrap(codes[enroll], codes[test], is_target, seed=seed)
        return drawn.intervals(scores)["eer_percent"]

    assert interval(0, np.arange(10)) == interval(0, np.arange(10))
    assert interval(0, np.arange(10)) == interval(0, 3 * np.arange(10) + 17)  # not the codes
    assert interval(0, np.arange(10)) != interval(1, np.arange(10))


def test_the_order_of_trials_and_of_their_sides_does_not_matter() -> None:
    enroll, test, is_target, scores = make_corpus(4, 8)
    expected = SpeakerBootstrap(enroll, test, is_target).intervals(scores, 4 * scores)
    rng = np.random.default_rng(0)
    order, swapped = rng.permutation(len(scores)), rng.random(len(scores)) < 0.5
    left, right = np.where(swapped, test, enroll)[order], np.where(swapped, enroll, test)[order]
    mixed = scores[order]
    found = SpeakerBootstrap(left, right, is_target[order]).intervals(mixed, 4 * mixed)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-5)


def none_of_it(with_llrs: bool = False) -> dict[str, object]:
    costs = dict.fromkeys(["0.01", "0.05", "0.001"])
    nothing: dict[str, object] = {"eer_percent": None, "min_dcf": costs}
    return nothing | ({"act_dcf": costs, "cllr": None} if with_llrs else {})


def test_without_variation_there_is_no_interval() -> None:
    # One speaker, whose nontargets are impostures; two, who only give trials of both together.
    enroll, test, is_target, scores = make_corpus(5, 2)
    alone = SpeakerBootstrap(0 * enroll, 0 * test, is_target)
    assert alone.intervals(scores, scores) == none_of_it(with_llrs=True)
    both = SpeakerBootstrap(enroll, test, is_target)
    assert both.intervals(scores, scores) == none_of_it(with_llrs=True)
    # Perfect scores, whoever is drawn.
    enroll, test, is_target, scores = make_corpus(5, 9)
    perfect = SpeakerBootstrap(enroll, test, is_target).intervals(scores + 100 * is_target)
    assert perfect == none_of_it()


def test_infinite_llrs_leave_the_other_intervals() -> None:
    enroll, test, is_target, scores = make_corpus(6, 9)
    llrs = scores.copy()
    llrs[np.argmax(is_target)] = -np.inf
    drawn = SpeakerBootstrap(enroll, test, is_target)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = drawn.intervals(llrs, llrs)
    assert found["cllr"] is None
    llrs[np.argmax(is_target)] = -1000  # for the other figures a low score like others
    finite = drawn.intervals(llrs, llrs)
    assert finite["cllr"] is not None
    assert finite | {"cllr": None} == found


def test_what_has_no_error_rate_has_no_interval_either() -> None:
    enroll, test, is_target, scores = make_corpus(7, 4)
    with pytest.raises(ValueError, match="both kinds are needed"):
        SpeakerBootstrap(enroll, test, is_target | True).intervals(scores)
    with pytest.raises(ValueError, match="one score is needed per trial"):
        SpeakerBootstrap(enroll, test, is_target).intervals(scores[1:])
    with pytest.raises(ValueError, match="1 of 2 scores are not numbers"):
        drawn = SpeakerBootstrap(*np.array([[0, 1], [0, 2], [1, 0]]))
        drawn.intervals(np.array([1, np.nan]))


# Identification


def make_identification(num_speakers: int) -> tuple[np.ndarray, np.ndarray, Corpus]:
    """Tests of speakers, s + 1 of speaker s, against all models; their anchors, and which succeed.

    Of a speaker's tests the first fails where his number is odd, and all fail where 3 divides it.
    """
    speaker = np.arange(num_speakers).repeat(np.arange(num_speakers) + 1)
    first = np.append(True, np.diff(speaker) > 0)
    succeeds = ~((speaker % 2 == 1) & first) & (speaker % 3 != 0)
    test, enroll = speaker.repeat(num_speakers), np.tile(np.arange(num_speakers), len(speaker))
    scores = np.where(enroll == test, np.where(succeeds, 2, 0).repeat(num_speakers), 1)
    anchors = (1000 - np.arange(len(speaker))).repeat(num_speakers)
    return anchors, succeeds, (enroll, test, enroll == test, scores)


def test_accuracy_interval_is_that_of_speakers_repeated_one_by_one() -> None:
    anchors, succeeds, (enroll, test, is_target, scores) = make_identification(7)
    speaker = np.arange(7).repeat(np.arange(7) + 1)
    assert identification_accuracy(anchors, scores, is_target) == succeeds.mean()
    expected = [np.repeat(succeeds, t[speaker]).mean() for t in drawn_times(7, 300, 5)]
    order = np.random.default_rng(0).permutation(len(scores))
    for sides in ((enroll, test), (test, enroll)):  # whichever side the anchors are on
        left, right = (side[order] for side in sides)
        drawn = SpeakerBootstrap(left, right, is_target[order], 300, 5)
        found = drawn.accuracy_interval(anchors[order], scores[order])
        assert found == pytest.approx(np.quantile(expected, [0.025, 0.975]))


def test_anchors_without_a_positive_or_a_negative_do_not_count() -> None:
    anchors, _, (enroll, test, is_target, scores) = make_identification(7)
    expected = SpeakerBootstrap(enroll, test, is_target).accuracy_interval(anchors, scores)
    # One more of speaker 0 with a positive alone, one of 1 with a negative alone.
    enroll, test = np.append(enroll, [0, 2]), np.append(test, [0, 1])
    more = SpeakerBootstrap(enroll, test, np.append(is_target, [True, False]))
    found = more.accuracy_interval(np.append(anchors, [1, 2]), np.append(scores, [9, 9]))
    assert found == expected is not None


def test_perfect_identification_has_no_interval() -> None:
    anchors, _, (enroll, test, is_target, _) = make_identification(5)
    drawn = SpeakerBootstrap(enroll, test, is_target)
    assert drawn.accuracy_interval(anchors, is_target.astype(float)) is None
