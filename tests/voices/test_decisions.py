"""Decisions by a score: thresholds, likelihood ratios and error rates computed by hand."""

from math import exp, log

import pytest

from deep_speaker.voices.decisions import Criterion, decide, find_threshold, share_prior
from support.voice_models import TABLE


def test_an_even_prior_decides_where_the_likelihoods_are_equal() -> None:
    decision = decide(0.8, TABLE, Criterion())
    assert decision.threshold == pytest.approx(0.5)
    assert decision.same is True
    assert decision.llr == pytest.approx(3)
    assert decision.probability == pytest.approx(1 / (1 + exp(-3)))
    assert decision.false_alarm_rate == pytest.approx(0.1)
    assert decision.miss_rate == pytest.approx(0.2)
    assert decision.measured == {"speakers": 7, "target": 100, "nontarget": 1000}


def test_a_small_prior_asks_for_more() -> None:
    """Odds of 1 : 99 need a likelihood ratio of 99: a score of (ln 99 + 5) / 10 = 0.9595."""
    decision = decide(0.95, TABLE, Criterion(prior=0.01))
    assert decision.threshold == pytest.approx((log(99) + 5) / 10)
    assert decision.same is False
    assert decision.probability == pytest.approx(1 / (1 + 99 * exp(-4.5)))


def test_a_wanted_rate_of_false_alarms_is_kept() -> None:
    assert find_threshold(TABLE, Criterion(false_alarms=0.1)) == 0.5
    assert find_threshold(TABLE, Criterion(false_alarms=0.3)) == 0.5  # 0.0 would give 0.5 of them
    assert find_threshold(TABLE, Criterion(false_alarms=0.002)) == 1.0
    with pytest.raises(ValueError, match=r"measured on 1000 pairs.*from 0\.001 to 1"):
        find_threshold(TABLE, Criterion(false_alarms=0.0001))


def test_several_candidates_share_the_prior_and_the_false_alarms() -> None:
    """A prior of 1/2 over 4 is 1/8 each against 1/2 for nobody: 1 to 4."""
    assert share_prior(0.5, 4) == pytest.approx(1 / 5)
    assert find_threshold(TABLE, Criterion(), 4) == pytest.approx((log(4) + 5) / 10)
    assert find_threshold(TABLE, Criterion(false_alarms=0.6), 2) == 0.5  # 0.3 each
    with pytest.raises(ValueError, match=r"0\.002 shared among 4 speakers is a false alarm rate"):
        find_threshold(TABLE, Criterion(false_alarms=0.002), 4)


def test_a_score_can_be_the_threshold_itself() -> None:
    decision = decide(0.25, TABLE, Criterion(score=0.25), 50)
    assert (decision.threshold, decision.same) == (0.25, True)
    assert decision.false_alarm_rate == pytest.approx(0.3)  # half way from 0.5 to 0.1


def test_without_calibration_nothing_is_decided_but_by_a_given_score() -> None:
    undecided = decide(0.8, None, Criterion())
    assert (undecided.score, undecided.same, undecided.llr) == (0.8, None, None)
    given = decide(0.8, None, Criterion(score=0.9))
    assert (given.threshold, given.same, given.false_alarm_rate) == (0.9, False, None)
    for criterion in (Criterion(prior=0.1), Criterion(false_alarms=0.1)):
        with pytest.raises(ValueError, match=r"not calibrated.*--threshold"):
            decide(0.8, None, criterion)
