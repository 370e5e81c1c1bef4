"""Weights in 8 bits: whole numbers of steps, with a step for every few weights of an output.

They are as large as the weights allow: a few large weights cost the others of their group digits,
not those of the whole matrix.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

GROUP = 32  # weights of one step: 1/16 more bytes, a tenth of the squared error of embeddings
MOST = 127


def to_eight_bits(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return int8 codes of a matrix or kernel, in its shape, and steps, float16 (outputs, groups).

    Args:
        weight: shape (outputs, ...).
    """
    groups = split_groups(weight)
    steps = (groups.abs().amax(dim=2) / MOST).to(torch.float16)
    # A step that float16 rounds to 0 stands for weights that are 0 beside all others.
    codes = groups / steps.float().clamp_min(1e-12)[..., None]
    codes = codes.round().clamp(-MOST, MOST).to(torch.int8)
    return join_groups(codes, weight.shape), steps


def from_eight_bits(codes: Tensor, steps: Tensor) -> Tensor:
    """Return the float32 weights of `to_eight_bits`."""
    return join_groups(split_groups(codes) * steps.float()[..., None], codes.shape)


def split_groups(weight: Tensor) -> Tensor:
    """Return float32 groups of each output's weights, the last filled with zeros.

    Returns:
        Shape (outputs, groups, GROUP).
    """
    flat = weight.float().flatten(1)
    return F.pad(flat, (0, -flat.shape[1] % GROUP)).unflatten(1, (-1, GROUP))


def join_groups(groups: Tensor, shape: torch.Size) -> Tensor:
    """Return what `split_groups` was given, in its shape."""
    return groups.flatten(1)[:, : shape[1:].numel()].reshape(shape).contiguous()
