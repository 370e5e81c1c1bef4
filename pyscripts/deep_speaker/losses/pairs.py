"""Losses of pairs and triplets of utterances, mined in the batch or laid out as pairs."""

import torch.nn.functional as F
from torch import Tensor

from deep_speaker.config import Contrastive, LosslessTriplet, Mined, Triplet
from deep_speaker.losses.base import LossResult, SpeakerLoss, in_float32
from deep_speaker.losses.mining import Triplets, mine
from deep_speaker.networks.devices import move

FARTHEST_SQUARED = 4.0  # the largest squared distance of unit vectors
# Smaller squared distances count as this one: the slope of the root of 0 is infinite.
SMALLEST_SQUARED = 1e-7


def mean_cosine(unit: Tensor) -> Tensor:
    """Return the mean over all pairs of unit vectors (batch, dim); near 1 after a collapse."""
    return unit.detach().mean(dim=0).square().sum()


def share(condition: Tensor) -> Tensor | float:
    """Return the share of places where a condition holds; 0 where there is no place."""
    return condition.float().mean() if len(condition) else 0.0


def squared_distances(cosines: Tensor) -> Tensor:
    """Return the squared distances, 0 to 4, of unit vectors with these cosines."""
    return (2 - 2 * cosines).clamp(0, FARTHEST_SQUARED)


def split_pairs(unit: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosines of the adjacent pairs of a batch: those of one speaker, those of two.

    Raises:
        ValueError: the batch is odd or empty.
    """
    if not len(labels) or len(labels) % 2:
        raise ValueError(f"a batch of {len(labels)} does not divide into pairs: make it even")
    cosines = (unit[0::2] * unit[1::2]).sum(dim=1)
    same = labels[0::2] == labels[1::2]
    first, second = (move(each.nonzero()[:, 0], cosines.device) for each in (same, ~same))
    return cosines[first], cosines[second]


class MinedLoss(SpeakerLoss):
    """A loss of mined triplets; the config's `negatives` rule equal parts of the steps in turn."""

    groups_by_label = True

    def __init__(self, config: Mined) -> None:
        super().__init__()
        self.negatives = config.negatives

    def mine(self, unit: Tensor, labels: Tensor) -> Triplets:
        """Mine triplets of unit-length embeddings (batch, dim), as is due at this step."""
        part = min(int(self.progress * len(self.negatives)), len(self.negatives) - 1)
        return mine(unit, labels, self.negatives[part])


class TripletLoss(MinedLoss):
    """Cosine triplet loss, mean of max(0, s(a, n) - s(a, p) + margin) (Deep Speaker, eq. 2).

    Every pair of a speaker's utterances is an anchor and a positive, and negatives are any other
    speaker's. voxceleb_trainer's has squared Euclidean distances, which are 2 - 2 s, so that its
    loss at twice the margin is twice this one for the same triplet. It takes two utterances of a
    speaker, the first as the anchor and the second as the positive, once, and negatives among the
    positives: at random; with the probability `hard_prob`, among the `hard_rank` + 1 nearest; or at
    random among those farther than the positive by less than the margin and, where there are none,
    among all, the anchor's own positive included.
    """

    def __init__(self, config: Triplet) -> None:
        super().__init__(config)
        self.margin = config.margin

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and figures to log: `hard_share` and `violating_share`, of the (anchor,
            positive) pairs with a negative more similar than the positive, and with the chosen
            one inside the margin; and `mean_cosine` over all pairs, near 1 after a collapse.

        Raises:
            ValueError: the batch holds no triplet.
        """
        unit = F.normalize(embeddings, dim=1)
        triplets = self.mine(unit, labels)
        violations = F.relu(triplets.negative - triplets.positive + self.margin)
        return violations.mean(), {
            "hard_share": triplets.hard_share,
            "violating_share": share(violations > 0),
            "mean_cosine": mean_cosine(unit),
        }


class LosslessTripletLoss(MinedLoss):
    """Triplet loss whose gradient never vanishes (Arsenault 2018, "Lossless triplet loss").

    -ln(1 - d_p / beta + eps) - ln(1 - (N - d_n) / beta + eps), with d the squared distances of
    the anchor to its positive and negative. The original has outputs in [0, 1]^N, so that d lies
    in 0..N, and beta = N. Squared distances of unit vectors, 2 - 2 cos, lie in 0..4: what N stands
    for is 4 here, beta with it, and the loss becomes

        -ln((1 + s(a, p)) / 2 + eps) - ln((1 - s(a, n)) / 2 + eps)

    of the cosines s. It is 0 for equal positives and opposite negatives.
    """

    def __init__(self, config: LosslessTriplet) -> None:
        super().__init__(config)
        self.epsilon = config.epsilon

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and the figures of `TripletLoss`, for a margin of 0.

        Raises:
            ValueError: the batch holds no triplet.
        """
        unit = F.normalize(embeddings, dim=1)
        triplets = self.mine(unit, labels)
        # Rounding can leave the cosine of equal vectors above 1, whose logarithm is not a number.
        near = 1 - squared_distances(triplets.positive) / FARTHEST_SQUARED
        far = squared_distances(triplets.negative) / FARTHEST_SQUARED
        losses = -(near + self.epsilon).log() - (far + self.epsilon).log()
        return losses.mean(), {
            "hard_share": triplets.hard_share,
            "violating_share": share(triplets.negative > triplets.positive),
            "mean_cosine": mean_cosine(unit),
        }


class ContrastiveLoss(MinedLoss):
    """Contrastive loss (Hadsell et al. 2006, equation 4) of distances D between unit vectors.

    D^2 / 2 of two utterances of a speaker, max(0, margin - D)^2 / 2 of two speakers'. Mined, each
    anchor and positive meet one negative, and the loss is the mean of both terms' sum. With
    `adjacent_pairs`, it is the mean over the pairs (0, 1), (2, 3), ... of the batch.
    """

    def __init__(self, config: Contrastive, adjacent_pairs: bool) -> None:
        super().__init__(config)
        self.margin = config.margin
        self.adjacent_pairs = adjacent_pairs

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Returns:
            The loss, and the figures of `TripletLoss`: `violating_share` is that of the negatives
            or different speakers' pairs inside the margin; `hard_share` is of mined ones only.

        Raises:
            ValueError: the batch holds no triplet, or does not divide into adjacent pairs.
        """
        unit = F.normalize(embeddings, dim=1)
        figures: dict[str, Tensor | float] = {"mean_cosine": mean_cosine(unit)}
        if self.adjacent_pairs:
            positive, negative = split_pairs(unit, labels)
        else:
            positive, negative, hard_share = self.mine(unit, labels)
            figures["hard_share"] = hard_share
        distances = squared_distances(negative).clamp(min=SMALLEST_SQUARED).sqrt()
        violations = F.relu(self.margin - distances)
        figures["violating_share"] = share(violations > 0)
        total = squared_distances(positive).sum() / 2 + violations.square().sum() / 2
        count = len(labels) // 2 if self.adjacent_pairs else len(positive)
        return total / count, figures
