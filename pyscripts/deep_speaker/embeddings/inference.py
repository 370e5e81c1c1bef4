"""Inference: from normalised frames to embeddings, by a network."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deep_speaker.config import Extraction
from deep_speaker.embeddings.pieces import PieceReader, cut_pieces
from deep_speaker.embeddings.unit_length import average
from deep_speaker.networks.devices import AnyModule, all_digits, to_device
from deep_speaker.networks.pace import Precision
from deep_speaker.networks.speaker_network import EmbeddingNetwork, SpeakerNetwork
from deep_speaker.system.processes import ahead

BATCH_FRAMES = 32000  # in a batch on a GPU, padding included
UTTERANCES_AHEAD = 256  # read in advance for a GPU


@torch.inference_mode()
def embed(
    network: EmbeddingNetwork, pieces: Sequence[np.ndarray], device: torch.device
) -> np.ndarray:
    """Embed pieces of normalised frames (frames, bins), all in one pass.

    Pieces of different lengths are padded; padding has no influence.

    Returns:
        float32 of unit length, shape (pieces, dim).
    """
    lengths = torch.tensor([len(piece) for piece in pieces])
    padded = np.zeros((len(pieces), int(lengths.max()), pieces[0].shape[1]), dtype=np.float32)
    for row, piece in zip(padded, pieces, strict=True):
        row[: len(piece)] = piece
    inputs = torch.from_numpy(padded).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=network.in_bfloat16), all_digits():
        if lengths.min() == lengths.max():
            embeddings = network(inputs)
        else:
            embeddings = network(inputs, lengths.to(device))
    return nn.functional.normalize(embeddings.float(), dim=1).cpu().numpy()


def embed_utterance(
    network: EmbeddingNetwork, frames: np.ndarray, options: Extraction, device: torch.device
) -> np.ndarray:
    """Embed an utterance's frames, whole or by crops of them: unit length, shape (dim,)."""
    pieces = cut_pieces(frames, options, network.fewest_frames)
    return average(embed_pieces(network, pieces, options, device))


def embed_pieces(
    network: EmbeddingNetwork,
    pieces: Iterable[np.ndarray],
    options: Extraction,
    device: torch.device,
) -> np.ndarray:
    """Embed the pieces of an utterance: unit length, shape (pieces, dim).

    Crops, which are of one length, go in one pass; pieces of a whole utterance go one by one.
    """
    if options.by_crops:
        return embed(network, list(pieces), device)
    return np.concatenate([embed(network, [piece], device) for piece in pieces])


def embed_in_batches(
    network: EmbeddingNetwork,
    reader: PieceReader,
    utterances: Iterable[str],
    device: torch.device,
    max_frames: int = BATCH_FRAMES,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield utterances with the embeddings of their pieces, as `embed_pieces` gives them.

    This keeps a GPU busy, which short utterances one by one would not. They come in the order of
    their lengths, so that batches hold little padding, or of their recordings (see
    `PieceReader.in_order`); a thread reads ahead.

    Args:
        max_frames: the most in a batch, padding included.
    """

    def read(utterance: str) -> list[tuple[str, np.ndarray]]:
        return [(utterance, piece) for piece in reader.read(utterance)]

    ordered = reader.in_order(utterances)
    pieces = chain.from_iterable(ahead(map(read, ordered), UTTERANCES_AHEAD))
    embedded = (
        (key, embedding)
        for batch in batch_by_frames(pieces, max_frames)
        for (key, _), embedding in zip(
            batch, embed(network, [piece for _, piece in batch], device), strict=True
        )
    )
    for utterance, group in groupby(embedded, key=itemgetter(0)):
        yield utterance, np.stack([embedding for _, embedding in group])


def batch_by_frames(
    pieces: Iterable[tuple[str, np.ndarray]], max_frames: int
) -> Iterator[list[tuple[str, np.ndarray]]]:
    """Yield groups of consecutive pieces (frames, bins).

    Padded to its longest piece, a group has at most `max_frames`, or is a single piece.
    """
    batch: list[tuple[str, np.ndarray]] = []
    longest = 0
    for key, piece in pieces:
        longest = max(longest, len(piece))
        if batch and (len(batch) + 1) * longest > max_frames:
            yield batch
            batch, longest = [], len(piece)
        batch.append((key, piece))
    if batch:
        yield batch


def for_inference(
    network: EmbeddingNetwork, device: torch.device, precision: Precision
) -> EmbeddingNetwork:
    """Copy a network into one that embeds the same, faster, and no longer trains."""
    copied = fold_batch_norm(copy.deepcopy(network).eval())
    if precision == "bfloat16":
        cast_weights(copied)
    return to_device(copied, device)


def fold_batch_norm(module: AnyModule) -> AnyModule:
    """Merge each batch normalisation into the convolution before it, in evaluation mode."""
    for child in module.children():
        fold_batch_norm(child)
    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            convolution, norm = module[i], module[i + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return module


def cast_weights(network: EmbeddingNetwork) -> None:
    """Cast the weights once that autocast would cast for every utterance."""
    network.in_bfloat16 = True
    for module in network.modules():
        if isinstance(module, SpeakerNetwork):  # what follows the trunk stays in float32
            for layer in module.trunk.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear | nn.GRU):
                    layer.to(torch.bfloat16)
