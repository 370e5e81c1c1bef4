"""Which negative each anchor and positive of a batch meet (Deep Speaker, section 3.4)."""

from typing import NamedTuple

import torch
from torch import Tensor


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
        labels: speakers' numbers, shape (batch,).
        negatives: `random`: any other speaker's. `hard`: the most similar. `semi_hard` (Schroff
            et al. 2015): the most similar of those less similar than the positive; where there
            is none, the least similar of the others.

    Raises:
        ValueError: the batch holds no positive pair, or one speaker only.
    """
    similarities = embeddings @ embeddings.T
    same = labels[:, None] == labels[None, :]
    different = ~same
    anchors, positives = torch.nonzero(
        same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), as_tuple=True
    )
    if not len(anchors) or not bool(different.any()):
        raise ValueError(
            f"a batch of {len(labels)} with {len(labels.unique())} speakers has no triplet: it "
            "needs two utterances of a speaker and one of another"
        )
    positive = similarities[anchors, positives]
    candidates = similarities.detach()[anchors]  # (pairs, batch)
    allowed = different[anchors]
    hardest = candidates.masked_fill(~allowed, -torch.inf)
    if negatives == "hard":
        chosen = hardest.argmax(dim=1)
    elif negatives == "semi_hard":
        easier = allowed & (candidates < positive.detach()[:, None])
        hardest_easier = candidates.masked_fill(~easier, -torch.inf).argmax(dim=1)
        easiest = candidates.masked_fill(~allowed, torch.inf).argmin(dim=1)
        chosen = torch.where(easier.any(dim=1), hardest_easier, easiest)
    elif negatives == "random":
        chosen = torch.multinomial(allowed.float(), 1)[:, 0]
    else:
        raise ValueError(f"unknown negatives {negatives!r}; known: random, semi_hard, hard")
    hard_share = (hardest.amax(dim=1) > positive.detach()).float().mean()
    return Triplets(positive, similarities[anchors, chosen], hard_share)
