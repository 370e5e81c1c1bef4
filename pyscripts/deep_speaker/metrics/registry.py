"""Every metric of results, described once: rows, intervals, tables and page read this table.

A new one takes a function, in one of the modules beside this, and an entry here.
"""

from functools import partial

from deep_speaker.metrics.detection_costs import P_TARGETS, min_dcfs
from deep_speaker.metrics.error_rates import equal_error_rates
from deep_speaker.metrics.identification import identified_anchors
from deep_speaker.metrics.llr_costs import act_dcf, cllr
from deep_speaker.metrics.metric import AnchorMetric, ListKind, LlrMetric, Metric, RateMetric

RANK = 5  # of identification, besides the first
EER_CONVENTION = "EER: where the miss rate equals the false-alarm rate, by linear interpolation."
DCF_CONVENTION = (
    "minDCF(p), actDCF(p): detection cost at p(target) = p, C_miss = C_fa = 1, divided by that of "
    "the better of accepting all and rejecting all; min at the best threshold, act at Bayes' "
    "threshold ln((1 - p) / p) of log-likelihood ratios, calibrated by held-out speakers."
)
CLLR_CONVENTION = (
    "Cllr: cost of the log-likelihood ratios over all p(target), in bits; 1: no information."
)
ACCURACY_CONVENTION = (
    "ACC: share of anchors whose positive scores above all their negatives, 99 of other speakers "
    "or as many as there are. Rank-1 (rank-5): share of tests whose own model is the best (of the "
    "five best) of all. Ties are failures."
)

# In the order of rows and tables; the first of a kind is the main figure of its lists.
METRICS: tuple[Metric, ...] = (
    RateMetric(
        keys=("eer_percent",), title="EER %", digits=2, percent=True, interval="shown",
        kind="verification", function=equal_error_rates, convention=EER_CONVENTION,
    ),
    *(
        RateMetric(
            keys=("min_dcf", f"{p:g}"), title=f"minDCF({p:g})", digits=3,
            kind="verification", function=partial(min_dcfs, p_target=p), convention=DCF_CONVENTION,
        )
        for p in P_TARGETS
    ),
    *(
        LlrMetric(
            keys=("act_dcf", f"{p:g}"),
            title=f"actDCF({p:g})" if p == P_TARGETS[0] else "", digits=3,
            kind="verification", function=act_dcf(p), convention=DCF_CONVENTION,
        )
        for p in P_TARGETS
    ),
    LlrMetric(
        keys=("cllr",), title="Cllr", digits=3,
        kind="verification", function=cllr(), convention=CLLR_CONVENTION,
    ),
    AnchorMetric(
        keys=("identification_accuracy_percent",), title="ACC %", digits=2, percent=True,
        less_is_better=False, interval="shown",
        kind="one_plus_99", function=identified_anchors, convention=ACCURACY_CONVENTION,
    ),
    AnchorMetric(
        keys=("identification_accuracy_percent",), title="rank-1 %", digits=2, percent=True,
        less_is_better=False, interval="shown",
        kind="identification", function=identified_anchors, convention=ACCURACY_CONVENTION,
    ),
    AnchorMetric(
        keys=(f"rank{RANK}_accuracy_percent",), title=f"rank-{RANK} %", digits=2, percent=True,
        less_is_better=False, interval="none", fewest_trials=RANK + 1,
        kind="identification", function=partial(identified_anchors, rank=RANK),
        convention=ACCURACY_CONVENTION,
    ),
)  # fmt: skip
METRIC_CONVENTIONS = tuple(dict.fromkeys(metric.convention for metric in METRICS))


def shown_metrics(kind: ListKind) -> list[Metric]:
    """Return the metrics that tables show of lists of a kind, the main one first."""
    return [metric for metric in METRICS if metric.kind == kind and metric.title]


def main_metric(kind: ListKind) -> Metric:
    """Return the metric by which lists of a kind are judged.

    >>> main_metric("verification").title
    'EER %'
    """
    return shown_metrics(kind)[0]
