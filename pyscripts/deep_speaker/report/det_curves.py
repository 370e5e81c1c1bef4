"""Detection error trade-off curves (Martin et al. 1997), thinned to what a plot can show."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from deep_speaker.metrics import C_FALSE_ALARM, C_MISS, P_TARGETS, ErrorRates, equal_error_rate

MAX_POINTS = 400
LOWEST = 1e-5  # rates beyond this, and beyond 1 - this, count as it: a probit axis has no 0 and 1
P_TARGET = P_TARGETS[0]  # of the operating point that is marked


class DetCurve(NamedTuple):
    """Rates are shares, from accepting all trials to accepting none."""

    false_alarm: np.ndarray
    miss: np.ndarray
    eer: float
    min_dcf_point: tuple[float, float]  # false alarm, miss


def det_curve(rates: ErrorRates) -> DetCurve:
    costs = C_MISS * P_TARGET * rates.miss + C_FALSE_ALARM * (1 - P_TARGET) * rates.false_alarm
    best = int(np.argmin(costs))
    chosen = thin(rates)
    return DetCurve(
        rates.false_alarm[chosen],
        rates.miss[chosen],
        equal_error_rate(rates),
        (float(rates.false_alarm[best]), float(rates.miss[best])),
    )


def thin(rates: ErrorRates) -> np.ndarray:
    """Rows of at most `MAX_POINTS` points, evenly spread along the curve on probit axes."""
    axes = [np.clip(rate, LOWEST, 1 - LOWEST) for rate in (rates.false_alarm, rates.miss)]
    steps = sum(np.abs(np.diff(norm.ppf(axis))) for axis in axes)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, length[-1], MAX_POINTS)
    return np.unique(np.searchsorted(length, wanted).clip(max=len(length) - 1))
