"""The base of all losses: float32, and the share of the steps that are done."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

# The loss, a scalar, and figures to log: scalars of its device, which are read later, so that no
# step waits for a GPU.
LossResult = tuple[Tensor, dict[str, Tensor | float]]


class SpeakerLoss(nn.Module):
    """A loss called with embeddings (batch, dim), of any length, and speakers' numbers (batch,).

    That of distillation is called with the teacher's vectors (batch, teacher's dim), too.

    Attributes:
        groups_by_label: whether shapes follow from the labels. These are then given in the CPU's
            memory, where that takes no waiting for a GPU.
        progress: share of the steps that are done, 0 to 1, set by the trainer before each.
    """

    groups_by_label = False

    def __init__(self) -> None:
        super().__init__()
        self.progress = 0.0


def in_float32(
    forward: Callable[..., LossResult],
) -> Callable[..., LossResult]:
    """Wrap a loss to compute in float32, also under autocast; float64, of tests, stays."""

    @wraps(forward)
    def wrapped(loss: Any, embeddings: Tensor, *others: Tensor) -> LossResult:
        if embeddings.dtype != torch.float64:
            embeddings = embeddings.float()
        with torch.autocast(embeddings.device.type, enabled=False):
            return forward(loss, embeddings, *others)

    return wrapped


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of logits (batch, classes) that are largest at their label (batch,)."""
    return (logits.argmax(dim=1) == labels).float().mean()
