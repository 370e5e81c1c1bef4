"""Detection costs of accepting and rejecting trials (NIST SRE).

Conventions: see `error_rates`. Costs are normalised.
"""

import numpy as np

from deep_speaker.metrics.error_rates import ErrorRates

C_MISS = 1.0
C_FALSE_ALARM = 1.0
P_TARGETS = (0.01, 0.05, 0.001)  # of the costs in results


def detection_cost(miss: np.ndarray, false_alarm: np.ndarray, p_target: float) -> np.ndarray:
    """Return the detection cost, divided by that of the better of accepting and rejecting all.

    With C_miss = C_fa = 1: (p P_miss + (1 - p) P_fa) / min(p, 1 - p).
    """
    miss_cost, false_alarm_cost = _costs(p_target)
    return (miss_cost * miss + false_alarm_cost * false_alarm) / min(miss_cost, false_alarm_cost)


def _costs(p_target: float) -> tuple[float, float]:
    return C_MISS * p_target, C_FALSE_ALARM * (1 - p_target)


def min_dcf(rates: ErrorRates, p_target: float) -> float:
    """Return the lowest `detection_cost` of all thresholds, those that accept all or none included.

    So it is 1 at most.
    """
    return float(min_dcfs(rates.as_curves(), p_target)[0])


def min_dcfs(rates: ErrorRates, p_target: float) -> np.ndarray:
    """Return the `min_dcf` of each curve of rates (points, curves): shape (curves,)."""
    miss_cost, false_alarm_cost = _costs(p_target)
    costs = rates.miss * miss_cost
    costs += rates.false_alarm * false_alarm_cost
    lowest: np.ndarray = costs.min(axis=0)
    return lowest / min(miss_cost, false_alarm_cost)  # as `detection_cost`, divided last
