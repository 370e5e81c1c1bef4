"""The learning rate over the steps of a phase."""

import math
from collections.abc import Sequence

from deep_speaker.config import AnySchedule, Fall, Plateau


def learning_rate(
    schedule: AnySchedule, progress: float, epoch: int, errors: Sequence[float]
) -> float:
    """Return the learning rate of a step.

    Args:
        progress: share of the phase's steps that are done, 0 to 1.
        epoch: the number of epochs done.
        errors: the held-out EER after each of them.
    """
    if progress < schedule.warmup_share:
        return schedule.initial * progress / schedule.warmup_share
    if isinstance(schedule, Fall):
        fallen = (progress - schedule.warmup_share) / (1 - schedule.warmup_share or 1)
        if schedule.shape == "linear":
            remaining = 1 - fallen
        else:
            remaining = (1 + math.cos(math.pi * fallen)) / 2
        return schedule.final + (schedule.initial - schedule.final) * remaining
    if isinstance(schedule, Plateau):
        falls = count_plateaus(errors, schedule.every_epochs)
    else:
        falls = epoch // schedule.every_epochs
    return schedule.initial * schedule.factor**falls


def count_plateaus(errors: Sequence[float], length: int) -> int:
    """Count the runs of `length` epochs without a new lowest error.

    >>> count_plateaus([9, 8, 8, 9, 7, 7, 7, 7, 7], length=2)
    3
    """
    best, stale, plateaus = math.inf, 0, 0
    for error in errors:
        stale = 0 if error < best else stale + 1
        best = min(best, error)
        if stale == length:
            plateaus, stale = plateaus + 1, 0
    return plateaus
