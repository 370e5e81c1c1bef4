"""Losses that compare utterances with the centroids of the speakers of their batch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import GE2E, LearnedScale, Prototypical
from deep_speaker.losses.base import LossResult, SpeakerLoss, accuracy, in_float32

# Learned scales stay above this: with a negative one, the likest centroid would be the worst.
SMALLEST_SCALE = 1e-6


def reshape_by_speaker(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Reshape embeddings (batch, dim), speaker by speaker, to (speakers, utterances, dim).

    Raises:
        ValueError: fewer than two speakers or two utterances of each, or speakers who do not lie
            side by side with equally many utterances.
    """
    num_speakers = len(labels.unique())
    per_speaker = len(labels) // num_speakers
    if num_speakers < 2 or per_speaker < 2:
        raise ValueError(
            f"a batch of {len(labels)} with {num_speakers} speakers has no centroids to compare: "
            "it needs two speakers with two utterances each"
        )
    if not torch.equal(labels[::per_speaker].repeat_interleave(per_speaker), labels):
        raise ValueError(
            f"the {len(labels)} utterances of {num_speakers} speakers do not lie speaker by "
            "speaker, equally many of each, as centroids need them"
        )
    return embeddings.reshape(num_speakers, per_speaker, -1)


def _classify_queries(logits: Tensor) -> LossResult:
    """Return the cross entropy of logits (queries, prototypes), right on the diagonal."""
    targets = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, targets), {"accuracy": accuracy(logits, targets)}


class ScaledCosines(nn.Module):
    """Learned scale and bias of cosines: scale * cosine + bias, with scale > 0."""

    def __init__(self, scale: float, bias: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, cosines: Tensor) -> Tensor:
        return self.scale.clamp(min=SMALLEST_SCALE) * cosines + self.bias


class CentroidLoss(SpeakerLoss):
    """A loss that compares utterances with centroids of the speakers of their batch."""

    groups_by_label = True


class GE2ELoss(CentroidLoss):
    """Generalised end-to-end loss, softmax variant (Wan et al. 2018, arXiv 1710.10467).

    The logits are scaled cosines of a unit-length embedding to every speaker's centroid
    (equation 5); its own speaker's centroid leaves the embedding out (equation 8). The loss is the
    mean of equation 6 over the batch; the paper sums.

    As in the paper, cosines are not clamped, and centroids are means of unit-length embeddings
    (equation 4). voxceleb_trainer's cosines are 1e-6 at least, so that a speaker on the far side
    counts as one at a right angle, without a gradient; its centroids are means of embeddings of any
    length.
    """

    def __init__(self, config: GE2E) -> None:
        super().__init__()
        self.ge2e = ScaledCosines(config.initial_scale, config.initial_bias)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (speakers * utterances, dim), laid out speaker by speaker.

        Returns:
            The loss, and figures to log: `accuracy`, the share of utterances nearest to their own
            centroid.

        Raises:
            ValueError: see `reshape_by_speaker`.
        """
        unit = F.normalize(reshape_by_speaker(embeddings, labels), dim=2)
        num_speakers, per_speaker, _ = unit.shape
        centroids = F.normalize(unit.mean(dim=1), dim=1)
        others = (unit.sum(dim=1, keepdim=True) - unit) / (per_speaker - 1)
        own = (unit * F.normalize(others, dim=2)).sum(dim=2)  # (speakers, utterances)
        is_own = torch.eye(num_speakers, dtype=torch.bool, device=unit.device)
        cosines = torch.where(is_own[:, None], own[:, :, None], unit @ centroids.T)
        logits = self.ge2e(cosines).flatten(0, 1)  # (speakers * utterances, speakers)
        targets = torch.arange(num_speakers, device=unit.device).repeat_interleave(per_speaker)
        return F.cross_entropy(logits, targets), {"accuracy": accuracy(logits, targets)}


class PrototypicalLoss(CentroidLoss):
    """Prototypical networks (Snell et al. 2017, arXiv 1703.05175).

    The prototype of a speaker is the mean of all utterances but the first (equation 1); the first
    is the query, classified by minus its squared Euclidean distances to all prototypes (equation
    2). The split is that of voxceleb_trainer.
    """

    def __init__(self, config: Prototypical) -> None:
        super().__init__()

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (speakers * utterances, dim), laid out speaker by speaker.

        Returns:
            The loss, and figures to log: `accuracy`, the share of queries nearest to their own
            prototype.

        Raises:
            ValueError: see `reshape_by_speaker`.
        """
        grouped = reshape_by_speaker(embeddings, labels)
        queries, prototypes = grouped[:, 0], grouped[:, 1:].mean(dim=1)
        # Differences before squares: the expanded form loses the small distances to rounding.
        logits = -(queries[:, None] - prototypes[None]).square().sum(dim=2)
        return _classify_queries(logits)


class AngularPrototypicalLoss(CentroidLoss):
    """Prototypical loss on scaled cosines (Chung et al. 2020, equations 7 and 8).

    arXiv 2003.11982. Queries and prototypes are those of `PrototypicalLoss`.
    """

    def __init__(self, config: LearnedScale) -> None:
        super().__init__()
        self.angular_prototypical = ScaledCosines(config.initial_scale, config.initial_bias)

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (speakers * utterances, dim), laid out speaker by speaker.

        Returns:
            The loss, and figures to log: `accuracy`, the share of queries nearest to their own
            prototype.

        Raises:
            ValueError: see `reshape_by_speaker`.
        """
        grouped = reshape_by_speaker(embeddings, labels)
        queries = F.normalize(grouped[:, 0], dim=1)
        prototypes = F.normalize(grouped[:, 1:].mean(dim=1), dim=1)
        return _classify_queries(self.angular_prototypical(queries @ prototypes.T))
