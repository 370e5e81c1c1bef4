"""The learning rate by hand, and one step of each optimiser."""

import math
from itertools import pairwise

import pytest

from deep_speaker.config import AnySchedule, Fall, Plateau, Step
from deep_speaker.training.schedules import learning_rate


def make_schedule(shape: str, warmup_share: float) -> Fall:
    return Fall.model_validate(
        {"shape": shape, "initial": 0.05, "final": 0.005, "warmup_share": warmup_share}
    )


@pytest.mark.parametrize(
    ("shape", "warmup_share", "progress", "expected"),
    [
        ("linear", 0, 0, 0.05),
        ("linear", 0, 0.5, 0.0275),
        ("linear", 0, 1, 0.005),
        ("linear", 0.2, 0, 0),
        ("linear", 0.2, 0.1, 0.025),
        ("linear", 0.2, 0.2, 0.05),
        ("linear", 0.2, 0.4, 0.05 - 0.045 / 4),
        ("linear", 0.2, 1, 0.005),
        ("cosine", 0, 0, 0.05),
        ("cosine", 0, 1 / 3, 0.005 + 0.045 * 0.75),  # cos 60 degrees is 1/2
        ("cosine", 0, 0.5, 0.0275),
        ("cosine", 0, 1, 0.005),
        ("cosine", 0.4, 0.2, 0.025),
        ("cosine", 0.4, 0.4, 0.05),
        ("cosine", 0.4, 0.7, 0.0275),
        ("cosine", 0.4, 1, 0.005),
        ("linear", 1, 0.5, 0.025),  # all of it warm-up
        ("cosine", 1, 1, 0.05),
    ],
)
def test_learning_rate_by_hand(
    shape: str, warmup_share: float, progress: float, expected: float
) -> None:
    schedule = make_schedule(shape, warmup_share)
    assert learning_rate(schedule, progress, 0, []) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@pytest.mark.parametrize("warmup_share", [0, 0.1])
def test_the_rate_rises_to_its_peak_once_and_never_jumps(shape: str, warmup_share: float) -> None:
    schedule = make_schedule(shape, warmup_share)
    rates = [learning_rate(schedule, i / 1000, 0, []) for i in range(1001)]
    peak = round(1000 * warmup_share)
    assert rates.index(max(rates)) == peak
    assert all(a < b for a, b in pairwise(rates[: peak + 1]))
    assert all(a > b for a, b in pairwise(rates[peak:]))
    steepest = max(abs(a - b) for a, b in pairwise(rates))
    assert steepest < 0.05 * max(math.pi / 2, 1 / (warmup_share or 1)) / 900


def rates_by_epoch(schedule: AnySchedule, errors: list[float]) -> list[float]:
    """The rate in every epoch, where these are the errors after each."""
    return [learning_rate(schedule, 0.5, i, errors[:i]) for i in range(len(errors) + 1)]


def test_steps_by_hand() -> None:
    schedule = Step(shape="step", initial=8, factor=0.5, every_epochs=2, warmup_share=0.1)
    assert rates_by_epoch(schedule, [1] * 6) == [8, 8, 4, 4, 2, 2, 1]
    assert learning_rate(schedule, 0.05, 0, []) == 4


def test_plateaus_by_hand() -> None:
    """An equal error is no fall; a count starts anew after a fall of the rate."""
    schedule = Plateau(shape="plateau", initial=8, factor=0.5, every_epochs=2)
    errors = [9, 8, 8, 8.5, 7, 7, 7, 7, 7]
    assert rates_by_epoch(schedule, errors) == [8, 8, 8, 8, 4, 4, 4, 2, 2, 1]
