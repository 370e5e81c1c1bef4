"""Embeddings of utterances, and x-vector directories in Kaldi's form (stage 4)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm import tqdm

from deep_speaker.archives import ArchiveWriter, write_scp, write_vectors
from deep_speaker.checkpoints import Checkpoint, load_checkpoint, load_network
from deep_speaker.config import Experiment, Extraction
from deep_speaker.data_dir import group_by_speaker, read_table, write_spk2utt, write_table
from deep_speaker.dataset import FeatureSource, check_features, fit_length
from deep_speaker.devices import autocast, to_device
from deep_speaker.files import replacing_directory
from deep_speaker.parallel import map_in_processes, map_in_thread

BATCH_FRAMES = 32000  # of a batch on a GPU, padding included
UTTERANCES_AHEAD = 256  # read in advance there


@torch.inference_mode()
def embed(network: nn.Module, pieces: Sequence[np.ndarray], device: torch.device) -> np.ndarray:
    """Embeddings of pieces of normalised frames (frames, bins), all in one pass.

    Pieces of different lengths are padded, which the network leaves out of account.

    Returns:
        float32 of unit length, shape (pieces, dim).
    """
    lengths = torch.tensor([len(piece) for piece in pieces])
    padded = np.zeros((len(pieces), int(lengths.max()), pieces[0].shape[1]), dtype=np.float32)
    for row, piece in zip(padded, pieces, strict=True):
        row[: len(piece)] = piece
    inputs = torch.from_numpy(padded).to(device)
    with autocast(device):
        if lengths.min() == lengths.max():
            embeddings = network(inputs)
        else:
            embeddings = network(inputs, lengths.to(device))
    return nn.functional.normalize(embeddings.float(), dim=1).cpu().numpy()


def embed_utterance(
    network: nn.Module, frames: np.ndarray, options: Extraction, device: torch.device
) -> np.ndarray:
    """The embedding of an utterance, whole or by crops, as configured; unit length."""
    return average(embed_pieces(network, frames, options, device))


def embed_pieces(
    network: nn.Module, frames: np.ndarray, options: Extraction, device: torch.device
) -> np.ndarray:
    """Embeddings of what `cut_pieces` makes of an utterance, unit length: shape (pieces, dim).

    Crops, all of one length, go in one pass, pieces of a whole utterance one by one.
    """
    pieces = cut_pieces(frames, options, fewest_frames(network))
    if options.method == "crops":
        return embed(network, pieces, device)
    return np.concatenate([embed(network, [piece], device) for piece in pieces])


def cut_pieces(frames: np.ndarray, options: Extraction, fewest: int = 1) -> list[np.ndarray]:
    """What of an utterance is embedded, as configured.

    The whole utterance, or equal pieces of it, each of at most `max_frames`; repeated from its
    beginning where it is shorter than `fewest` frames. Or `num_crops` crops of `crop_frames`
    frames, evenly spaced from the first frame to the last, of a short utterance repeated likewise.
    """
    if options.method == "whole":
        count = -(-len(frames) // options.max_frames)
        return np.array_split(fit_length(frames, max(len(frames), fewest)), count)
    frames = fit_length(frames, max(len(frames), options.crop_frames))
    starts = np.linspace(0, len(frames) - options.crop_frames, options.num_crops).astype(int)
    return [frames[start : start + options.crop_frames] for start in starts]


def fewest_frames(network: nn.Module) -> int:
    """The fewest frames that a network takes."""
    return getattr(network, "fewest_frames", 1)


def embed_in_batches(
    network: nn.Module,
    source: FeatureSource,
    utterances: Iterable[str],
    options: Extraction,
    device: torch.device,
    max_frames: int = BATCH_FRAMES,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield utterances with the embeddings of their pieces, as `embed_pieces` gives them.

    They come in the order of their lengths, so that batches hold little padding: for a GPU, which
    short utterances one by one would not keep busy. A thread reads ahead meanwhile.

    Args:
        max_frames: of a batch, padding included.
    """
    fewest = fewest_frames(network)

    def read(utterance: str) -> list[tuple[str, np.ndarray]]:
        pieces = cut_pieces(source.read(source.whole(utterance)), options, fewest)
        return [(utterance, piece) for piece in pieces]

    ordered = sorted(utterances, key=source.num_voiced)
    pieces = chain.from_iterable(map_in_thread(read, ordered, UTTERANCES_AHEAD))
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
    """Group pieces (frames, bins) that follow each other; padded to the longest of a group, they
    have at most `max_frames` together, or are a single piece."""
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


def average(embeddings: np.ndarray) -> np.ndarray:
    """The mean of embeddings (pieces, dim), at unit length."""
    return unit_length(embeddings.mean(axis=0))


def unit_length(vector: np.ndarray) -> np.ndarray:
    """A vector divided by its L2 norm; a zero vector stays."""
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Merge each batch normalisation into the convolution before it, in evaluation mode."""
    for child in module.children():
        fold_batch_norm(child)
    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            convolution, norm = module[i], module[i + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return module


@dataclass(frozen=True)
class Extractor:
    """What a worker needs to embed an utterance; small, as it travels with every one."""

    checkpoint: Path
    data_dir: Path
    experiment: Experiment
    device: torch.device

    def __call__(self, utterance: str) -> tuple[str, np.ndarray]:
        """The utterance, and the embeddings of its pieces; see `embed_pieces`."""
        network, source = _open(self)
        frames = source.read(source.whole(utterance))
        return utterance, embed_pieces(network, frames, self.experiment.extraction, self.device)


@lru_cache(maxsize=1)
def _open(extractor: Extractor) -> tuple[nn.Module, FeatureSource]:
    """The network and features, kept from one utterance to the next."""
    network = fold_batch_norm(load_network(extractor.checkpoint, extractor.experiment))
    return to_device(network, extractor.device), FeatureSource(
        extractor.data_dir, extractor.experiment
    )


def extract(extractor: Extractor, output: Path, num_jobs: int) -> None:
    """Embed every utterance of a data directory into an x-vector directory.

    For the scoring `crop_distance` it also gets xvector_crops.{ark,scp}, per utterance a matrix
    (num_crops, dim) of unit-length embeddings, and spk2utt.
    """
    utt2spk = read_table(extractor.data_dir / "utt2spk")
    check_features(extractor.data_dir, extractor.experiment)
    check_unseen(load_checkpoint(extractor.checkpoint), extractor.data_dir, utt2spk)
    if in_processes(extractor.device):
        results: Iterator = map_in_processes(extractor, utt2spk, num_jobs)
    else:
        network, source = _open(extractor)
        options = extractor.experiment.extraction
        results = embed_in_batches(network, source, utt2spk, options, extractor.device)
    bar = tqdm(results, total=len(utt2spk), unit="utt", disable=None, leave=False)
    with replacing_directory(output) as partial:
        if extractor.experiment.extraction.scoring == "crop_distance":
            vectors = _write_crops(partial, output, bar)
            write_spk2utt(partial / "spk2utt", utt2spk)
        else:
            vectors = {utterance: average(pieces) for utterance, pieces in bar}
        _write_vectors(partial, output, vectors, utt2spk)


def _write_crops(
    partial: Path, output: Path, results: Iterable[tuple[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Write crops as they come, as all of them may not fit in memory; return their averages."""
    vectors = {}
    name = "xvector_crops"
    with ArchiveWriter(partial / f"{name}.ark", output / f"{name}.ark") as writer:
        for utterance, crops in results:
            writer.write(utterance, crops)
            vectors[utterance] = average(crops)
    write_scp(partial / f"{name}.scp", writer.scp)
    return vectors


def in_processes(device: torch.device) -> bool:
    """Whether many processes embed utterances one by one; a GPU is kept busy by one, in batches."""
    return device.type == "cpu"


def check_unseen(checkpoint: Checkpoint, data_dir: Path, utt2spk: Mapping[str, str]) -> None:
    """Refuse a set of which some, but not all, speakers trained the network: stage 0 split anew."""
    speakers = set(utt2spk.values())
    seen = speakers.intersection(checkpoint.speakers)
    if seen and not speakers.issuperset(checkpoint.speakers):
        raise ValueError(
            f"{data_dir}: {len(seen)} of its {len(speakers)} speakers, first {min(seen)!r}, are "
            f"among the {len(checkpoint.speakers)} that trained the network: the data were "
            "prepared anew since, so run from stage 2 on"
        )


def write_xvectors(
    output: Path, embeddings: Mapping[str, np.ndarray], utt2spk: Mapping[str, str]
) -> None:
    """Write xvector.{ark,scp}, spk_xvector.{ark,scp} and num_utts.ark, whole.

    spk_xvector holds the mean of each speaker's embeddings, as Kaldi's ivector-mean gives.
    """
    with replacing_directory(output) as partial:
        _write_vectors(partial, output, embeddings, utt2spk)


def _write_vectors(
    partial: Path,
    output: Path,
    embeddings: Mapping[str, np.ndarray],
    utt2spk: Mapping[str, str],
) -> None:
    dimensions = {vector.shape for vector in embeddings.values()}
    if len(dimensions) != 1:
        raise ValueError(f"{output}: embeddings of different sizes: {sorted(dimensions)}")
    broken = [key for key, vector in embeddings.items() if not np.isfinite(vector).all()]
    if broken:
        raise ValueError(f"{output}: {len(broken)} embeddings are not finite, first {broken[0]}")
    spk2utt = group_by_speaker({key: utt2spk[key] for key in embeddings})
    means = {
        speaker: np.mean([embeddings[key] for key in utterances], axis=0)
        for speaker, utterances in spk2utt.items()
    }
    write_vectors(partial / "xvector", output / "xvector", embeddings)
    write_vectors(partial / "spk_xvector", output / "spk_xvector", means)
    write_table(partial / "num_utts.ark", {key: len(utts) for key, utts in spk2utt.items()})
