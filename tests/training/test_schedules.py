"""The learning rate by hand, and one step of each optimiser."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from deep_speaker.config import AnySchedule, Fall, Optimiser, Plateau, Step
from deep_speaker.training.schedules import build_optimiser, learning_rate


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


def step(options: Optimiser, gradients: list[float]) -> list[float]:
    """A parameter that starts at 2, after each step of rate 0.1 with the gradients given."""
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimiser = build_optimiser([parameter], options)
    values = []
    for gradient in gradients:
        optimiser.param_groups[0]["lr"] = 0.1
        parameter.grad = torch.tensor([gradient])
        optimiser.step()
        values.append(parameter.item())
    return values


def test_sgd_by_hand() -> None:
    # Weight decay adds 0.5 times the parameter to the gradient; velocity is 0.9 v + gradient.
    values = step(Optimiser(name="sgd", momentum=0.9, weight_decay=0.5), [1.0, -1.0])
    assert values[0] == pytest.approx(2 - 0.1 * 2)
    assert values[1] == pytest.approx(1.8 - 0.1 * (0.9 * 2 + (-1 + 0.9)))


def test_adam_by_hand() -> None:
    """The first step has the length of the rate, whatever the gradient; decay is part of it."""
    (value,) = step(Optimiser(name="adam", weight_decay=0.2), [7.0])
    assert value == pytest.approx(2 - 0.1, rel=1e-6)


def test_adamw_by_hand() -> None:
    # The first step has the length of the rate; decay shrinks the parameter by rate times decay.
    (value,) = step(Optimiser(name="adamw", weight_decay=0.2), [7.0])
    assert value == pytest.approx(2 * (1 - 0.1 * 0.2) - 0.1, rel=1e-6)
