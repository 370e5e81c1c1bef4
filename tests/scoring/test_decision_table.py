"""Decisions by scores: likelihood ratios, thresholds and their error rates, by hand."""

from math import log

import numpy as np
import pytest

from deep_speaker.scoring.decision_table import DecisionTable, measure_decisions

TARGETS = np.arange(100) / 100 + 0.5  # 0.5 to 1.49
NONTARGETS = np.arange(1000) / 1000  # 0 to 0.999


@pytest.fixture
def table() -> DecisionTable:
    scores = np.concatenate([TARGETS, NONTARGETS])
    is_target = np.arange(1100) < 100
    return measure_decisions("cosine", scores, is_target, np.ones(1100), (10.0, -7.0), 12)


def test_the_ratio_is_the_calibrated_score(table: DecisionTable) -> None:
    assert table.llr(0.9) == pytest.approx(2)


def test_a_prior_moves_the_threshold_to_where_the_odds_are_even(table: DecisionTable) -> None:
    for prior in (0.5, 0.01, 0.9):
        threshold = table.threshold_for_prior(prior)
        assert table.llr(threshold) + log(prior / (1 - prior)) == pytest.approx(0)
    assert table.threshold_for_prior(0.5) == pytest.approx(0.7)


def test_error_rates_are_the_shares_beyond_the_threshold(table: DecisionTable) -> None:
    step = 1.49 / 399  # between the thresholds that it holds
    for threshold in (0.2, 0.7, 0.95, 1.2):
        false_alarms, misses = table.error_rates(threshold)
        assert false_alarms == pytest.approx(np.mean(threshold <= NONTARGETS), abs=step + 0.001)
        assert misses == pytest.approx(np.mean(threshold > TARGETS), abs=step + 0.01)
    assert table.error_rates(-5) == (1, 0)
    assert table.error_rates(5) == (0, 1)


def test_a_wanted_rate_of_false_alarms_is_kept(table: DecisionTable) -> None:
    for rate in (0.5, 0.1, 0.01, 0.001):
        threshold = table.threshold_for_false_alarms(rate)
        assert np.mean(threshold <= NONTARGETS) <= rate
        assert table.error_rates(threshold)[0] <= rate
        assert threshold == pytest.approx(1 - rate, abs=0.006)


@pytest.mark.parametrize("rate", [0.0009, 0, 1, -0.1, 2])
def test_rates_that_nothing_measures_are_refused(rate: float, table: DecisionTable) -> None:
    with pytest.raises(ValueError, match=r"measured on 1000 pairs .* take one from 0.001 to 1"):
        table.threshold_for_false_alarms(rate)


@pytest.mark.parametrize("prior", [0, 1, -1])
def test_certain_priors_are_refused(prior: float, table: DecisionTable) -> None:
    with pytest.raises(ValueError, match="take a probability between 0 and 1"):
        table.threshold_for_prior(prior)
