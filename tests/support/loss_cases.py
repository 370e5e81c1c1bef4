"""Losses by name, and embeddings whose cosines are known."""

import math
from typing import Any

import torch
from torch import Tensor

from deep_speaker.config import Training
from deep_speaker.losses.base import SpeakerLoss
from deep_speaker.losses.registry import build_loss

CLASSIFICATION = ("softmax", "am_softmax", "aam_softmax")
CENTROIDS = ("ge2e", "prototypical", "angular_prototypical")
SUMS = ("softmax_prototypical",)
MINED = ("triplet", "lossless_triplet", "contrastive")

LABELS = torch.tensor([0, 0, 1, 1])


def make_loss(
    name: str, dimension: int = 2, num_speakers: int = 3, sampling: str = "balanced", **options: Any
) -> SpeakerLoss:
    training = Training.model_validate(
        {
            "loss": {"name": name} | options,
            "sampling": sampling,
            "speakers_per_batch": 4,
            "utterances_per_speaker": 2,
        }
    )
    return build_loss(training, dimension, num_speakers, seed=0)


def on_circle(*degrees: float) -> Tensor:
    """Vectors of different lengths; the losses on cosines must not see these."""
    angles = torch.tensor(degrees) * math.pi / 180
    lengths = torch.arange(1, len(degrees) + 1)[:, None]
    return torch.stack([angles.cos(), angles.sin()], dim=1) * lengths


def cosine(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def unit_distance(degrees: float) -> float:
    """Euclidean distance of unit vectors at this angle."""
    return 2 * abs(math.sin(math.radians(degrees) / 2))


def check_gradients(loss: SpeakerLoss, embeddings: Tensor, labels: Tensor) -> None:
    """Gradients by embeddings and weights against differences of the loss, in float64."""
    loss.double()
    inputs = embeddings.double().requires_grad_()
    torch.manual_seed(0)
    # The same weights each time, so that differences see one more input at a time.
    names = [name for name, _ in loss.named_parameters()]
    weights = [parameter.detach().clone().requires_grad_() for parameter in loss.parameters()]

    def value(inputs: Tensor, *weights: Tensor) -> Tensor:
        state = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(loss, state, (inputs, labels))[0]

    assert torch.autograd.gradcheck(value, (inputs, *weights))
    (gradient,) = torch.autograd.grad(value(inputs, *weights), inputs)
    assert gradient.abs().max() > 1e-4
