"""Intervals by resampling speakers: against repeating their trials, and of known error rates."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from deep_speaker.metrics import error_rates as error_rates_module
from deep_speaker.metrics import intervals
from deep_speaker.metrics.detection_costs import P_TARGETS, min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.intervals import Interval, SpeakerBootstrap, choose_thresholds
from deep_speaker.metrics.metric import ScoredTrials
from deep_speaker.metrics.registry import main_metric
from support.speaker_effects import (
    Corpus,
    draw_times,
    make_corpus,
    repeat_trials,
    verification_metrics,
)

EER = main_metric("verification")
CLLR = ("cllr",)


def eer_interval(corpus: Corpus, num_replicates: int = 200, seed: int = 0) -> Interval:
    drawn = corpus.bootstrap(num_replicates, seed)
    return drawn.intervals(corpus.scored(), [EER])[EER.keys]


def ends(found: dict[tuple[str, ...], Interval]) -> list[float]:
    """Return the ends of all intervals, which there are."""
    return [end for interval in found.values() for end in interval or []]


@pytest.mark.parametrize("seed", range(6))
def test_intervals_are_those_of_trials_repeated_one_by_one(seed: int) -> None:
    """Of every metric, whose figure of the repeated trials says what it is."""
    corpus = make_corpus(seed, 4 + seed, separation=1.5)
    if seed % 2:
        corpus = corpus._replace(scores=np.round(corpus.scores, 1))  # with ties
    llrs = 1.5 * corpus.scores - 1
    metrics = verification_metrics(corpus.scored(llrs))
    figures: dict[tuple[str, ...], list[float]] = {metric.keys: [] for metric in metrics}
    for times in draw_times(4 + seed, 150, seed):
        rows = repeat_trials(corpus, times)
        repeated = corpus.chosen(rows)
        if len(set(repeated.is_target)) == 2:
            for metric in metrics:
                figures[metric.keys].append(metric.compute(repeated.scored(llrs[rows])))
    found = corpus.intervals(llrs, 150, seed)
    assert list(found) == list(figures)
    assert {("eer_percent",), ("act_dcf", "0.05"), CLLR} < set(found)
    for keys, interval in found.items():
        low, high = np.quantile(figures[keys], [0.025, 0.975])
        # Where all replicates cost the same, as all reject everything, there is no interval.
        assert interval is None if low == high else interval == pytest.approx([low, high], rel=1e-6)


def test_the_interval_covers_the_error_rate_of_all_speakers() -> None:
    """60 corpora of 25 speakers each; percentile intervals of so few cover a little under 95 %."""
    expected = 100 * norm.cdf(-1.5)
    covered, naive, widths = 0, 0, []
    for seed in range(60):
        corpus = make_corpus(seed, 25)
        low, high = eer_interval(corpus, seed=seed) or (0, 0)
        covered += low <= expected <= high
        widths.append(high - low)
        # As if trials were independent: a standard error from as many targets.
        rate = EER.compute(corpus.scored()) / 100
        error = 196 * (rate * (1 - rate) / corpus.is_target.sum()) ** 0.5
        naive += abs(100 * rate - expected) <= error
    assert 0.85 * 60 <= covered <= 60
    assert naive < 0.8 * 60
    assert 1 < np.mean(widths) < 8


def test_more_speakers_make_a_narrower_interval_few_a_wide_one() -> None:
    widths = []
    for num_speakers in (4, 6, 12, 48):
        found = []
        for seed in range(8):
            corpus = make_corpus(seed, num_speakers, separation=2)
            low, high = eer_interval(corpus) or (0, 0)
            assert low < EER.compute(corpus.scored()) < high
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
    corpus = make_corpus(0, num_speakers, 4, per_pair)
    rates = error_rates(corpus.scores, corpus.is_target)
    assert 0.01 < equal_error_rate(rates) < 0.04
    chosen = choose_thresholds(rates)
    assert len(chosen) < 0.95 * len(rates.thresholds)
    assert (chosen[0], chosen[-1]) == (rates.thresholds[0], np.inf)
    kept = np.isin(rates.thresholds, chosen)
    thinned = type(rates)(*(column[kept] for column in rates))
    assert 100 * abs(equal_error_rate(thinned) - equal_error_rate(rates)) < 0.02
    for p_target in P_TARGETS:
        assert 0 <= min_dcf(thinned, p_target) - min_dcf(rates, p_target) < 0.001


def test_few_or_many_replicates_at_once_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(2, 12)
    everything = corpus.intervals(4 * corpus.scores, 100)
    for at_once in (66 * 7, 1):
        monkeypatch.setattr(intervals, "WEIGHTS_AT_ONCE", at_once)
        found = corpus.intervals(4 * corpus.scores, 100)
        assert ends(found) == pytest.approx(ends(everything), rel=1e-5)


def test_few_or_many_trials_at_once_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(2, 12)
    everything = corpus.intervals(4 * corpus.scores, 100)
    monkeypatch.setattr(error_rates_module, "TRIALS_AT_ONCE", 37)
    assert corpus.intervals(4 * corpus.scores, 100) == everything


def test_draws_follow_the_seed_alone() -> None:
    corpus = make_corpus(3, 10)

    def interval(seed: int, codes: np.ndarray) -> Interval:
        coded = corpus._replace(enroll=codes[corpus.enroll], test=codes[corpus.test])
        return eer_interval(coded, 1000, seed)

    assert interval(0, np.arange(10)) == interval(0, np.arange(10))
    assert interval(0, np.arange(10)) == interval(0, 3 * np.arange(10) + 17)  # not the codes
    assert interval(0, np.arange(10)) != interval(1, np.arange(10))


def test_the_order_of_trials_and_of_their_sides_does_not_matter() -> None:
    corpus = make_corpus(4, 8)
    expected = corpus.intervals(4 * corpus.scores)
    rng = np.random.default_rng(0)
    order, swapped = rng.permutation(len(corpus.scores)), rng.random(len(corpus.scores)) < 0.5
    mixed = corpus._replace(
        enroll=np.where(swapped, corpus.test, corpus.enroll),
        test=np.where(swapped, corpus.enroll, corpus.test),
    ).chosen(order)
    assert ends(mixed.intervals(4 * mixed.scores)) == pytest.approx(ends(expected), rel=1e-5)


def test_without_variation_there_is_no_interval() -> None:
    # One speaker, whose nontargets are impostures; two, who only give trials of both together.
    both = make_corpus(5, 2)
    alone = both._replace(enroll=0 * both.enroll, test=0 * both.test)
    for corpus in (both, alone):
        assert set(corpus.intervals(corpus.scores).values()) == {None}
    # Perfect scores, whoever is drawn.
    corpus = make_corpus(5, 9)
    perfect = corpus._replace(scores=corpus.scores + 100 * corpus.is_target)
    assert set(perfect.intervals().values()) == {None}


def test_infinite_llrs_leave_the_other_intervals() -> None:
    corpus = make_corpus(6, 9)
    llrs = corpus.scores.copy()
    llrs[np.argmax(corpus.is_target)] = -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = corpus._replace(scores=llrs).intervals(llrs)
    assert found[CLLR] is None
    llrs[np.argmax(corpus.is_target)] = -1000  # for the other figures a low score like others
    finite = corpus._replace(scores=llrs).intervals(llrs)
    assert finite[CLLR] is not None
    assert finite | {CLLR: None} == found


def test_what_has_no_error_rate_has_no_interval_either() -> None:
    corpus = make_corpus(7, 4)
    with pytest.raises(ValueError, match=" 0 nontarget"):
        eer_interval(corpus._replace(is_target=corpus.is_target | True))
    with pytest.raises(ValueError, match="shape"):
        eer_interval(corpus._replace(scores=corpus.scores[1:]))
    with pytest.raises(ValueError, match="1 of 2"):
        drawn = SpeakerBootstrap(*np.array([[0, 1], [0, 2], [1, 0]]))
        drawn.intervals(ScoredTrials(np.array([1, np.nan]), np.array([True, False])), [EER])
