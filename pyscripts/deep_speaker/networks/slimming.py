"""Slimming: the choice of the channels that a smaller network keeps, and its weights.

Of each layer those channels stay that tell most of the others, and what the layers after it lose is
made good by least squares: channel pruning by reconstruction (He et al. 2017, arXiv 1707.06168;
Luo et al. 2017, ThiNet, arXiv 1707.06342).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Moments:
    """Sums over rows x (rows, inputs), and rows y (rows, outputs) that are wanted for them."""

    def __init__(self) -> None:
        self._rows = 0
        self._sums: list[Tensor] = []

    def add(self, x: Tensor, y: Tensor | None = None) -> None:
        """Add rows; without `y`, the moments of x alone."""
        y = x if y is None else y
        sums = [x.sum(dim=0), y.sum(dim=0), x.T @ x, x.T @ y if y is not x else x.new_empty(0)]
        self._rows += len(x)
        self._sums = (
            [old + new.double() for old, new in zip(self._sums, sums, strict=True)]
            if self._sums
            else [each.double() for each in sums]
        )

    def covariance(self) -> Tensor:
        """Return the covariance of x: float64, shape (inputs, inputs)."""
        mean = self._sums[0] / self._rows
        return self._sums[2] / self._rows - mean.outer(mean)

    def regress(self, strength: float) -> tuple[Tensor, Tensor]:
        """Return the weight (outputs, inputs) and bias (outputs,) of the ridge regression to y.

        Args:
            strength: of the ridge, in mean variances of x.
        """
        mean_x, mean_y = self._sums[0] / self._rows, self._sums[1] / self._rows
        covariance = self.covariance()
        ridge = (strength * covariance.diagonal().mean()).clamp(min=1e-12)
        cross = self._sums[3] / self._rows - mean_x.outer(mean_y)
        weight = torch.linalg.solve(covariance + ridge * torch.eye(len(mean_x)).to(cross), cross).T
        return weight, mean_y - weight @ mean_x


def choose_channels(covariances: Sequence[Tensor], count: int) -> Tensor:
    """Choose channels from which the others can be told: their numbers in order, shape (count,).

    Greedily, each is the one of which those before it leave the most unexplained: the pivots of the
    Cholesky decomposition of the covariance.

    Args:
        covariances: of the channels (channels, channels), at several places that have to be told
            equally well.
    """
    places = torch.stack([each.double() / each.diagonal().sum() for each in covariances])
    covariance = places.mean(dim=0)
    unexplained = covariance.diagonal().clone()
    factors = covariance.new_zeros(count, len(covariance))
    chosen: list[int] = []
    for step in range(count):
        pivot = int(unexplained.argmax())
        left = covariance[pivot] - factors[:step, pivot] @ factors[:step]
        factors[step] = left / unexplained[pivot].clamp(min=1e-12).sqrt()
        unexplained -= factors[step].square()
        chosen.append(pivot)
        unexplained[chosen] = -torch.inf
    return torch.tensor(sorted(chosen), device=covariance.device)


def take_part(student: Any, teacher: Any, outputs: Tensor, inputs: Tensor) -> None:
    """Copy the part of a linear layer or a convolution between some outputs and some inputs."""
    student.weight.copy_(teacher.weight[outputs][:, inputs])
    student.bias.copy_(teacher.bias[outputs])


def take_channels(student: nn.Module, teacher: nn.Module, kept: Tensor) -> None:
    """Copy the channels kept of a batch normalisation."""
    for name, tensor in teacher.state_dict().items():
        student.state_dict()[name].copy_(tensor[kept] if tensor.dim() else tensor)


def correct(layer: Any, moments: Moments, strength: float) -> None:
    """Add to a layer the ridge regression of what is missing of the outputs wanted.

    The ridge pulls it towards the weights that it has.

    Args:
        layer: linear, with weight (outputs, inputs), or a convolution (outputs, inputs, kernel, 1).
        moments: of its inputs, those of `kernel` frames one after the other, and of the outputs
            that are wanted less those that it gives.
    """
    weight, bias = moments.regress(strength)
    by_input = weight.unflatten(1, (-1, layer.weight.shape[1])).transpose(1, 2)
    layer.weight += by_input.reshape(layer.weight.shape).to(layer.weight)
    layer.bias += bias.to(layer.bias)
