"""Pieces of utterances in graphs, as positions: what `embeddings.pieces` cuts."""

from typing import Any

import torch
from torch import Tensor

from deep_speaker.config import Extraction


def whole_pieces(num_frames: Any, options: Extraction, fewest: int) -> Tensor:
    """Return the positions of the frames of whole utterances: (pieces, frames).

    One piece, of `fewest` frames or more, unless the utterance has more than `max_frames`. As
    pieces of a batch are of one length, the next one may then begin with the last frame of the one
    before it.
    """
    num_frames = torch.as_tensor(num_frames)
    count = (num_frames + options.max_frames - 1) // options.max_frames
    needed = num_frames.clamp(min=fewest)
    size = (needed + count - 1) // count
    starts = torch.arange(count) * (needed - size) // (count - 1).clamp(min=1)
    return (starts[:, None] + torch.arange(size)) % num_frames


def crops(num_items: Any, length: int, options: Extraction, spare: int = 0) -> Tensor:
    """Return the positions of `num_crops` crops of `length` items: (num_crops, length).

    Args:
        spare: items that are added, too, where there are no more than `length`.
    """
    num_items = torch.as_tensor(num_items)
    furthest = num_items.clamp(min=length + spare) - length
    step = furthest.double() / max(options.num_crops - 1, 1)
    starts = (torch.arange(options.num_crops) * step).long()  # as numpy.linspace rounds
    if options.num_crops > 1:
        starts = torch.cat([starts[:-1], furthest[None]])
    return (starts[:, None] + torch.arange(length)) % num_items


def take(items: Tensor, positions: Tensor) -> Tensor:
    """Return items (num_items, ...) at positions (pieces, length): (pieces, length, ...).

    The exporter of ONNX has to know how many axes there are, and does of a reshaped tensor.
    """
    return items[positions.flatten()].reshape(positions.shape[0], -1, *items.shape[1:])
