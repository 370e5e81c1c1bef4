"""The negatives that anchors and positives of a batch meet (Deep Speaker, section 3.4)."""

from typing import NamedTuple

import torch
from torch import Tensor

from deep_speaker.networks.devices import move


class Triplets(NamedTuple):
    """Similarities of the triplets of a batch.

    Attributes:
        positive: cosine of anchor and positive, shape (triplets,).
        negative: cosine of anchor and the chosen negative, shape (triplets,).
        hard_share: share of (anchor, positive) pairs of the whole batch that have a negative
            more similar to the anchor than the positive is, a scalar.
    """

    positive: Tensor
    negative: Tensor
    hard_share: Tensor


def mine(embeddings: Tensor, labels: Tensor, negatives: str) -> Triplets:
    """Pair every anchor and positive of a batch with one negative from the whole batch.

    Args:
        embeddings: float32 of unit length, shape (batch, dim).
        labels: speakers' numbers, shape (batch,); in the CPU's memory, to wait for no GPU.
        negatives: see `choose_negatives`.

    Raises:
        ValueError: the batch holds no positive pair, or one speaker only.
    """
    similarities = embeddings @ embeddings.T
    same = labels[:, None] == labels[None, :]
    anchors, positives = find_positives(same)
    if not len(anchors) or bool(same.all()):
        raise ValueError(
            f"a batch of {len(labels)} with {len(labels.unique())} speakers has no triplet: it "
            "needs two utterances of a speaker and one of another"
        )
    device = similarities.device
    allowed = move(~same[anchors], device)
    anchors, positives = move(anchors, device), move(positives, device)
    positive = similarities[anchors, positives]
    candidates = similarities.detach()[anchors]  # (pairs, batch)
    chosen = choose_negatives(candidates, allowed, positive.detach(), negatives)
    hardest = candidates.masked_fill(~allowed, -torch.inf).amax(dim=1)
    hard_share = (hardest > positive.detach()).float().mean()
    return Triplets(positive, similarities[anchors, chosen], hard_share)


def find_positives(same: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows of anchors and positives, given which rows are of one speaker (batch, batch)."""
    itself = torch.eye(len(same), dtype=torch.bool, device=same.device)
    anchors, positives = torch.nonzero(same & ~itself, as_tuple=True)
    return anchors, positives


def choose_negatives(
    candidates: Tensor, allowed: Tensor, positive: Tensor, negatives: str
) -> Tensor:
    """Return the number of the negative that each pair of anchor and positive meets.

    Args:
        candidates: cosines of the anchors with the whole batch, shape (pairs, batch).
        allowed: whether a candidate is of another speaker, shape (pairs, batch).
        positive: cosines of the anchors with their positives, shape (pairs,).
        negatives: `random`: any other speaker's. `hard`: the most similar. `semi_hard` (Schroff
            et al. 2015): the most similar of those less similar than the positive; where there
            is none, the least similar of the others.
    """
    if negatives == "hard":
        return candidates.masked_fill(~allowed, -torch.inf).argmax(dim=1)
    if negatives == "semi_hard":
        easier = allowed & (candidates < positive[:, None])
        hardest_easier = candidates.masked_fill(~easier, -torch.inf).argmax(dim=1)
        easiest = candidates.masked_fill(~allowed, torch.inf).argmin(dim=1)
        return torch.where(easier.any(dim=1), hardest_easier, easiest)
    if negatives == "random":
        return torch.multinomial(allowed.float(), 1)[:, 0]
    raise ValueError(f"unknown negatives {negatives!r}: take random, semi_hard or hard")
