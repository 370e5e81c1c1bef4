"""Training losses, in float32 whatever the network computes in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import Softmax, Triplet
from deep_speaker.mining import mine

Result = tuple[Tensor, dict[str, float]]


def in_float32(
    forward: Callable[[Any, Tensor, Tensor], Result],
) -> Callable[[Any, Tensor, Tensor], Result]:
    """Have a loss compute in float32, also inside autocast."""

    @wraps(forward)
    def wrapped(loss: Any, embeddings: Tensor, labels: Tensor) -> Result:
        with torch.autocast(embeddings.device.type, enabled=False):
            return forward(loss, embeddings.float(), labels)

    return wrapped


class SoftmaxLoss(nn.Module):
    """Cross entropy over the training speakers.

    Without a scale, the logits are an affine function of the embedding, as in Deep Speaker
    (section 3.5). With one, they are cosines to a weight vector per speaker times the scale
    (Wang et al. 2017, NormFace, arXiv 1704.06369), which trains the cosine that is scored later.
    """

    def __init__(self, config: Softmax, embedding_dim: int, num_speakers: int) -> None:
        super().__init__()
        self.scale = config.scale
        self.classes = nn.Linear(embedding_dim, num_speakers, bias=config.scale is None)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Result:
        """The mean loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and figures to log: the share of the batch classified rightly.
        """
        if self.scale is None:
            logits = self.classes(embeddings)
        else:
            weights = F.normalize(self.classes.weight, dim=1)
            logits = self.scale * F.normalize(embeddings, dim=1) @ weights.T
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        return F.cross_entropy(logits, labels), {"accuracy": accuracy.item()}


class TripletLoss(nn.Module):
    """Cosine triplet loss: mean of max(0, s(a, n) - s(a, p) + margin) (Deep Speaker, equation 2).

    `negatives` of the config name the mining of equal parts of the training in turn.
    """

    def __init__(self, config: Triplet) -> None:
        super().__init__()
        self.margin = config.margin
        self.negatives = config.negatives
        self.progress = 0.0

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> Result:
        """The loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and figures to log: the shares of (anchor, positive) pairs with a negative
            more similar than the positive, and with one inside the margin; and the mean cosine
            over all pairs, near 1 when the embeddings have collapsed.
        """
        unit = F.normalize(embeddings, dim=1)
        part = min(int(self.progress * len(self.negatives)), len(self.negatives) - 1)
        triplets = mine(unit, labels, self.negatives[part])
        violations = F.relu(triplets.negative - triplets.positive + self.margin)
        return violations.mean(), {
            "hard_share": triplets.hard_share.item(),
            "violating_share": (violations > 0).float().mean().item(),
            "mean_cosine": unit.detach().mean(dim=0).square().sum().item(),
        }


def build_loss(
    config: Softmax | Triplet, embedding_dim: int, num_speakers: int, seed: int
) -> SoftmaxLoss | TripletLoss:
    """The loss that a config names, its weights drawn from `seed`."""
    torch.manual_seed(seed)
    if isinstance(config, Softmax):
        return SoftmaxLoss(config, embedding_dim, num_speakers)
    return TripletLoss(config)
