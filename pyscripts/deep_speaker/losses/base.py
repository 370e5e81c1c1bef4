"""What every loss shares: precision, and how far the training has come."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

Result = tuple[Tensor, dict[str, float]]


class SpeakerLoss(nn.Module):
    """A loss called with embeddings (batch, dim), of any length, and speakers' numbers (batch,).

    It returns the loss, a scalar, and figures to log.

    Attributes:
        progress: share of the steps that are done, 0 to 1, set by the trainer before each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.progress = 0.0


def in_float32(
    forward: Callable[[Any, Tensor, Tensor], Result],
) -> Callable[[Any, Tensor, Tensor], Result]:
    """Have a loss compute in float32, also inside autocast; float64, of tests, stays."""

    @wraps(forward)
    def wrapped(loss: Any, embeddings: Tensor, labels: Tensor) -> Result:
        if embeddings.dtype != torch.float64:
            embeddings = embeddings.float()
        with torch.autocast(embeddings.device.type, enabled=False):
            return forward(loss, embeddings, labels)

    return wrapped


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows of logits (batch, classes) that are largest at their label (batch,)."""
    return (logits.argmax(dim=1) == labels).float().mean().item()
