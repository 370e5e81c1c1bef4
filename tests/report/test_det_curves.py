"""DET curves: points by hand, thinned ones that are still on the curve."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from deep_speaker.metrics.detection_costs import min_dcf
from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report.det_curves import (
    MAX_POINTS,
    det_curve,
    det_figure,
    format_percent,
    thin,
)
from support.plots import make_panel, texts


def test_points_by_hand() -> None:
    """Order of scores: n t n t t."""
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    is_target = np.array([False, True, False, True, True])
    curve = det_curve(error_rates(scores, is_target))
    points = set(zip(curve.false_alarm.tolist(), curve.miss.tolist(), strict=True))
    assert points >= {(1.0, 0.0), (0.5, 0.0), (0.5, 1 / 3), (0.0, 1 / 3), (0.0, 1.0)}
    assert curve.eer == pytest.approx(1 / 3)
    assert curve.min_dcf_point == pytest.approx((0, 1 / 3))  # 0.01 / 3, against 0.99 / 2


def test_a_long_curve_is_thinned_to_points_of_its_own() -> None:
    rng = np.random.default_rng(0)
    is_target = rng.random(20_000) < 0.2
    scores = rng.normal(size=20_000) + 4.6 * is_target
    rates = error_rates(scores, is_target)
    curve = det_curve(rates)
    assert 100 < len(curve.miss) <= MAX_POINTS < len(rates.miss)
    false_alarm, hits, _ = roc_curve(is_target, scores, drop_intermediate=False)
    known = set(zip(np.round(false_alarm, 9), np.round(1 - hits, 9), strict=True))
    assert known >= set(zip(np.round(curve.false_alarm, 9), np.round(curve.miss, 9), strict=True))
    # The cost at the marked point is the minimum of the unthinned curve.
    false_alarm_rate, miss_rate = curve.min_dcf_point
    assert miss_rate + 99 * false_alarm_rate == pytest.approx(min_dcf(rates, 0.01))
    # Evenly on the plot, also where both rates are small: no gap of more than 2 % of its width.
    x, y = norm.ppf(curve.false_alarm), norm.ppf(curve.miss)
    inside = (abs(x) < 2.6) & (abs(y) < 2.6)
    assert np.hypot(np.diff(x[inside]), np.diff(y[inside])).max() < 0.1


def test_a_perfect_system_has_its_ends() -> None:
    rates = error_rates(np.array([0.0, 1.0]), np.array([False, True]))
    chosen = thin(rates)
    assert rates.miss[chosen].tolist() == [0, 0, 1]
    assert det_curve(rates).min_dcf_point == (0, 0)


def test_det_curves_are_drawn_on_probit_axes(drawn: list) -> None:
    panel = make_panel()
    curves = panel.curves
    svg = det_figure("det", [panel])
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines}
    (label,) = [label for label in lines if "finetuning" in label]
    assert label.startswith(format_percent(curves["finetuning"].eer))
    x, y = lines[label].get_data()
    inside = (x > -3) & (x < 3) & (y > -3) & (y < 3)
    assert norm.cdf(x[inside]) == pytest.approx(curves["finetuning"].false_alarm[inside])
    assert norm.cdf(y[inside]) == pytest.approx(curves["finetuning"].miss[inside])
    diagonal = axes.lines[0].get_data()
    assert list(diagonal[0]) == list(diagonal[1])
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    (x,), (y,) = dots[1].get_data()
    assert (norm.cdf(x), norm.cdf(y)) == pytest.approx(
        curves["finetuning"].min_dcf_point, abs=0.011
    )
    assert {"false alarms, %", "misses, %", "Phases", "0.5", "20"} <= set(texts(svg))
