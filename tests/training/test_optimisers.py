"""Optimisers: by hand, as torch's own step, and without its compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from deep_speaker.config import Optimiser
from deep_speaker.training.optimisers import build_optimiser, take_step


def step(options: Optimiser, gradients: list[float]) -> list[float]:
    """A parameter that starts at 2, after each step of rate 0.1 with the gradients given."""
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimiser = build_optimiser([parameter], options)
    values = []
    for gradient in gradients:
        optimiser.param_groups[0]["lr"] = 0.1
        parameter.grad = torch.tensor([gradient])
        take_step(optimiser)
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


@pytest.mark.parametrize("options", [
    Optimiser(name="sgd", weight_decay=0.1),
    Optimiser(name="adam", weight_decay=0.1),
    Optimiser(name="adamw", weight_decay=0.1),
])  # fmt: skip
def test_a_step_is_torch_s(options: Optimiser) -> None:
    both = []
    for own in (True, False):
        layer = nn.Linear(3, 2)
        nn.init.constant_(layer.weight, 0.5)
        nn.init.zeros_(layer.bias)
        optimiser = build_optimiser(layer.parameters(), options)
        optimiser.param_groups[0]["lr"] = 0.1
        for _ in range(3):
            optimiser.zero_grad()
            layer(torch.arange(6.0).reshape(2, 3)).square().sum().backward()
            take_step(optimiser) if own else optimiser.step()
        both.append(layer.weight.tolist())
    assert both[0] == both[1]


STEP = """
import sys
import torch
from deep_speaker.config import Optimiser
from deep_speaker.training.optimisers import build_optimiser, take_step
weights = torch.ones(3, requires_grad=True)
optimiser = build_optimiser([weights], Optimiser(name=sys.argv[1]))
optimiser.zero_grad()
weights.sum().backward()
take_step(optimiser)
optimiser.load_state_dict(optimiser.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_compiler_is_not_imported(name: str) -> None:
    words = [sys.executable, "-c", STEP, name]
    subprocess.run(words, check=True, env={"PYTHONPATH": ":".join(sys.path)})
