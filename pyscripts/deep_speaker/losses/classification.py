"""Losses that classify the training speakers, each with a weight vector per speaker."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import MarginSoftmax, Softmax
from deep_speaker.losses.base import LossResult, SpeakerLoss, accuracy, in_float32

# Smaller squared sines count as this one: the slope of the root of 0 is infinite.
SMALLEST_SQUARED_SINE = 1e-7


def cosines(embeddings: Tensor, weights: Tensor) -> Tensor:
    """Return cosines of embeddings (batch, dim) with weights (classes, dim): (batch, classes)."""
    return F.normalize(embeddings, dim=1) @ F.normalize(weights, dim=1).T


def _hidden_layers(sizes: list[int]) -> Iterator[nn.Module]:
    """Yield ReLU, batch normalisation and affine layers between embedding and classes."""
    if len(sizes) == 1:
        return
    for size, next_size in zip(sizes, [*sizes[1:], None], strict=True):
        yield nn.ReLU()
        # Kaldi's has no gain and offset; the affine layer that follows holds both.
        yield nn.BatchNorm1d(size, eps=1e-3, affine=False)
        if next_size is not None:
            yield nn.Linear(size, next_size)


class SoftmaxLoss(SpeakerLoss):
    """Cross entropy over the training speakers.

    Without a scale, the logits are an affine function of the embedding, as in Deep Speaker
    (section 3.5). With one, they are cosines to a weight vector per speaker times the scale
    (Wang et al. 2017, NormFace, arXiv 1704.06369), which trains the cosine that stage 5 scores by.
    Hidden layers between embedding and classes are those of Kaldi's x-vector network (Snyder et
    al. 2018).
    """

    def __init__(self, config: Softmax, embedding_dim: int, num_speakers: int) -> None:
        super().__init__()
        self.scale = config.scale
        sizes = [embedding_dim, *config.hidden_dims]
        self.hidden = nn.Sequential(*_hidden_layers(sizes))
        self.classes = nn.Linear(sizes[-1], num_speakers, bias=config.scale is None)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the mean loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and figures to log: `accuracy`, the share of the batch classified rightly.
        """
        if self.scale is None:
            logits = self.classes(self.hidden(embeddings))
        else:
            logits = self.scale * cosines(embeddings, self.classes.weight)
        return F.cross_entropy(logits, labels), {"accuracy": accuracy(logits, labels)}


class MarginSoftmaxLoss(SpeakerLoss):
    """Softmax over scaled cosines, the speaker's own one lowered by a margin.

    The margin may rise from 0 over some share of the steps; it is logged then.
    """

    def __init__(self, config: MarginSoftmax, embedding_dim: int, num_speakers: int) -> None:
        super().__init__()
        self.config = config
        self.classes = nn.Linear(embedding_dim, num_speakers * config.sub_centres, bias=False)

    @property
    def margin(self) -> float:
        """The margin at this share of the steps."""
        first, last = self.config.margin_from, self.config.margin_to
        if self.progress >= last:
            return self.config.margin
        if self.progress <= first:
            return 0.0
        return self.config.margin * (self.progress - first) / (last - first)

    def lower(self, cosine: Tensor) -> Tensor:
        """Lower cosines (batch, 1) of embeddings to their own speakers by the margin."""
        raise NotImplementedError

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the mean loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and figures to log: `accuracy`, the share of the batch classified rightly
            without the margin; and `margin` where it rises.
        """
        of_centres = cosines(embeddings, self.classes.weight)
        similarities = of_centres.unflatten(1, (-1, self.config.sub_centres)).amax(dim=2)
        figures: dict[str, Tensor | float] = {"accuracy": accuracy(similarities, labels)}
        if self.config.margin_to > 0:
            figures["margin"] = self.margin
        own = similarities.gather(1, labels[:, None])
        lowered = similarities.scatter(1, labels[:, None], self.lower(own))
        return F.cross_entropy(self.config.scale * lowered, labels), figures


class AMSoftmaxLoss(MarginSoftmaxLoss):
    """Additive margin softmax: cos(theta) - margin (Wang et al. 2018, equation 5).

    arXiv 1801.05599.
    """

    def lower(self, cosine: Tensor) -> Tensor:
        return cosine - self.margin


class AAMSoftmaxLoss(MarginSoftmaxLoss):
    """Additive angular margin softmax: cos(theta + margin) (Deng et al. 2019, equation 3).

    arXiv 1801.07698. Where theta + margin passes pi, the cosine would rise again;
    cos(theta) - margin sin(margin) goes on falling there, as in the authors' code.
    """

    def lower(self, cosine: Tensor) -> Tensor:
        margin = self.margin
        sine = (1 - cosine.square()).clamp(min=SMALLEST_SQUARED_SINE).sqrt()
        rotated = cosine * math.cos(margin) - sine * math.sin(margin)
        beyond = cosine <= math.cos(math.pi - margin)
        return torch.where(beyond, cosine - margin * math.sin(margin), rotated)
