"""The position within an epoch: what an interrupted run needs besides weights to go on from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class Position:
    """How far an epoch is; its beginning by default.

    Ranks stand at the same one: they draw the same random numbers, as each computes the loss of
    the batch of all.

    Attributes:
        steps: that are done.
        means: sums of the figures of these steps, over the number of steps of the whole epoch; on
            the device where they were computed.
        seconds: that they took, over all runs.
        random: states of torch's random numbers, by the kind of device; empty: not begun.
    """

    steps: int = 0
    means: dict[str, Tensor | float] = field(default_factory=dict)
    seconds: float = 0.0
    random: dict[str, Tensor] = field(default_factory=dict)

    def add(self, figures: Mapping[str, Tensor | float], num_steps: int, seconds: float) -> None:
        """Note one more step of an epoch of so many, and the seconds since its beginning."""
        self.steps += 1
        self.seconds = seconds
        for name, value in figures.items():
            self.means[name] = self.means.get(name, 0.0) + value / num_steps

    def figures(self) -> dict[str, float]:
        """Return the means as numbers, once the device has computed them."""
        return {name: float(value) for name, value in self.means.items()}

    def content(self, device: torch.device) -> dict[str, Any]:
        """Return what a checkpoint keeps of it, with the present state of the random numbers."""
        random = {"cpu": torch.get_rng_state()}
        if device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(device)
        return asdict(self) | {"means": self.figures(), "random": random}

    def set_random(self, device: torch.device) -> None:
        """Bring torch's random numbers into the state that they had here."""
        if "cpu" in self.random:
            torch.set_rng_state(self.random["cpu"])
        if "cuda" in self.random and device.type == "cuda":
            torch.cuda.set_rng_state(self.random["cuda"], device)
