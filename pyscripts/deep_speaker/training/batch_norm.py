"""Batch normalisation by the statistics of all ranks' chunks together, on CPU and CUDA.

torch's SyncBatchNorm does the same on CUDA alone.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from deep_speaker.training import ranks


class SynchronisedBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation of features (batch, channels) or (batch, channels, frames)."""

    def forward(self, features: Tensor) -> Tensor:
        return normalise(self, features) if self.training else super().forward(features)


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of maps (batch, channels, frames, bins)."""

    def forward(self, maps: Tensor) -> Tensor:
        return normalise(self, maps) if self.training else super().forward(maps)


SYNCHRONISED: dict[type[nn.Module], type[_BatchNorm]] = {
    nn.BatchNorm1d: SynchronisedBatchNorm1d,
    nn.BatchNorm2d: SynchronisedBatchNorm2d,
}


def synchronise(network: nn.Module) -> None:
    """Replace every batch normalisation below a network, in place; names and weights stay."""
    for name, child in list(network.named_children()):
        kind = SYNCHRONISED.get(type(child))
        if kind is None or not isinstance(child, _BatchNorm):
            synchronise(child)
            continue
        assert child.running_mean is not None
        replacement = kind(child.num_features, child.eps, child.momentum, child.affine)
        replacement.to(child.running_mean)  # its device and precision
        replacement.load_state_dict(child.state_dict())
        setattr(network, name, replacement)


def fix_statistics(network: nn.Module) -> None:
    """Let batch normalisation go by its running statistics and keep them, until `network.train()`.

    Its weights and biases still learn.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def normalise(norm: _BatchNorm, maps: Tensor) -> Tensor:
    """Normalise maps (batch, channels, ...) of this rank, and update the running statistics.

    Every rank has to call it, with equally many chunks, and to go backward through it.
    """
    with torch.no_grad():
        (mean,) = means_over_ranks(maps)
        (variance,) = means_over_ranks(centre(maps, mean).square_())
        update_running_statistics(norm, mean, variance, maps.numel() // len(mean))
    maps = _ThroughStatistics.apply(maps, mean, variance + norm.eps)
    # With given statistics, torch's own kernel; its gradient takes them for constants.
    return F.batch_norm(maps, mean, variance, norm.weight, norm.bias, False, eps=norm.eps)


class _ThroughStatistics(torch.autograd.Function):
    """The identity, whose backward adds the gradient through the mean and the variance.

    With the gradient g of x, it is g - mean(g) - (x - mean(x)) / variance * mean(g (x - mean(x))),
    the means over the chunks of all ranks (Ioffe and Szegedy 2015, section 3, put together).
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        ctx.save_for_backward(maps, mean, variance)
        return maps.view_as(maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        maps, mean, variance = ctx.saved_tensors
        gradient, centred = gradients[0].to(mean.dtype), centre(maps, mean)
        by_mean, by_variance = means_over_ranks(gradient, gradient * centred)
        through = centred.mul_(per_channel(by_variance / variance, maps))
        through.add_(per_channel(by_mean, maps))
        return through.neg_().add_(gradient).to(maps.dtype), None, None


def means_over_ranks(*maps: Tensor) -> Tensor:
    """Return the mean of each channel of maps over all ranks: float32, shape (maps, channels)."""
    others = [axis for axis in range(maps[0].dim()) if axis != 1]
    precision = torch.promote_types(maps[0].dtype, torch.float32)
    means = torch.stack([each.mean(others, dtype=precision) for each in maps])
    return ranks.gather(means[None]).mean(dim=0)


def centre(maps: Tensor, mean: Tensor) -> Tensor:
    """Return new maps minus the mean of each channel (channels,), in the precision of that.

    In place from there on: maps are large, and new memory takes longer than the arithmetic.
    """
    return maps.to(mean.dtype, copy=True).sub_(per_channel(mean, maps))


def per_channel(values: Tensor, maps: Tensor) -> Tensor:
    """Return values (channels,) in a shape that goes with maps (batch, channels, ...)."""
    return values.reshape(-1, *[1] * (maps.dim() - 2))


def update_running_statistics(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics towards those of a step, as torch's batch normalisation does.

    Args:
        count: values of a channel on this rank.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.num_batches_tracked is not None and norm.momentum is not None
    together = count * ranks.world_size()
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * together / (together - 1), norm.momentum)
