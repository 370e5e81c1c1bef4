"""The table of metrics: what each is a function of, and how results and tables tell them apart."""

from collections import Counter

import numpy as np
import pytest

from deep_speaker.metrics.detection_costs import C_FALSE_ALARM, C_MISS, P_TARGETS, min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate
from deep_speaker.metrics.identification import identified_anchors
from deep_speaker.metrics.llr_costs import act_dcf, cllr
from deep_speaker.metrics.metric import ListKind, RateMetric, ScoredTrials
from deep_speaker.metrics.registry import METRIC_CONVENTIONS, METRICS, shown_metrics
from support.labelled_scores import random_trials


@pytest.fixture
def trials() -> ScoredTrials:
    """Trials of 20 anchors with 10 trials each, a positive and nine negatives."""
    scores = np.random.default_rng(0).normal(size=200)
    return ScoredTrials(scores, np.arange(200) % 10 == 0, 2 * scores - 1, np.arange(200) // 10)


def test_keys_and_titles_are_those_of_one_metric_in_a_kind_of_lists() -> None:
    places = Counter((metric.kind, metric.keys) for metric in METRICS)
    titles = Counter((metric.kind, metric.title) for metric in METRICS if metric.title)
    assert set(places.values()) == set(titles.values()) == {1}


def test_figures_are_those_of_their_functions(trials: ScoredTrials) -> None:
    found = {
        (metric.kind, *metric.keys): metric.compute(trials)
        for metric in METRICS
        if metric.applies(metric.kind, trials)
    }
    llrs, labels = trials.llrs, trials.is_target
    assert llrs is not None
    assert trials.anchors is not None
    hits = {k: identified_anchors(trials.anchors, trials.scores, labels, k)[1] for k in (1, 5)}
    expected: dict[tuple[str, ...], float] = {
        ("verification", "eer_percent"): 100 * equal_error_rate(trials.rates),
        ("verification", "cllr"): cllr()(llrs, labels),
        ("one_plus_99", "identification_accuracy_percent"): 100 * hits[1].mean(),
        ("identification", "identification_accuracy_percent"): 100 * hits[1].mean(),
        ("identification", "rank5_accuracy_percent"): 100 * hits[5].mean(),
    }
    for p in P_TARGETS:
        expected["verification", "min_dcf", f"{p:g}"] = min_dcf(trials.rates, p)
        expected["verification", "act_dcf", f"{p:g}"] = act_dcf(p)(llrs, labels)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("verification", {"eer_percent", "min_dcf", "act_dcf", "cllr"}),
        ("one_plus_99", {"eer_percent", "min_dcf", "act_dcf", "cllr",
                         "identification_accuracy_percent"}),
        ("identification", {"eer_percent", "min_dcf", "act_dcf", "cllr",
                            "identification_accuracy_percent", "rank5_accuracy_percent"}),
    ],
)  # fmt: skip
def test_rows_hold_what_their_lists_ask_for(
    kind: ListKind, keys: set[str], trials: ScoredTrials
) -> None:
    assert {metric.keys[0] for metric in METRICS if metric.applies(kind, trials)} == keys
    bare = ScoredTrials(trials.scores, trials.is_target)
    found = [metric for metric in METRICS if metric.applies(kind, bare)]
    assert found == [metric for metric in METRICS if isinstance(metric, RateMetric)]


def test_tables_show_one_kind_of_figures_of_each_list() -> None:
    assert [metric.title for metric in shown_metrics("verification")] == [
        "EER %", "minDCF(0.01)", "minDCF(0.05)", "minDCF(0.001)", "actDCF(0.01)", "Cllr"
    ]  # fmt: skip
    assert [metric.title for metric in shown_metrics("one_plus_99")] == ["ACC %"]
    assert [metric.title for metric in shown_metrics("identification")] == ["rank-1 %", "rank-5 %"]


def test_results_keep_percents_to_4_digits_and_others_to_5() -> None:
    trials = ScoredTrials(*random_trials(4))
    for metric in shown_metrics("verification")[:4]:
        digits = 4 if metric.percent else 5
        assert metric.in_results(trials) == round(metric.compute(trials), digits)


def test_conventions_are_told_once_and_hold() -> None:
    assert len(METRIC_CONVENTIONS) == len({metric.convention for metric in METRICS}) == 4
    assert any(f"C_miss = C_fa = {C_MISS:g}" in text for text in METRIC_CONVENTIONS)
    assert C_MISS == C_FALSE_ALARM
