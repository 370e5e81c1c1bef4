"""Embeddings of utterances, and x-vector directories in Kaldi's form (stage 4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm import tqdm

from deep_speaker.archives import write_vectors
from deep_speaker.checkpoints import Checkpoint, load_checkpoint, load_network
from deep_speaker.config import Experiment, Extraction
from deep_speaker.data_dir import group_by_speaker, read_table, write_table
from deep_speaker.dataset import FeatureSource, check_features, fit_length
from deep_speaker.devices import autocast, to_device
from deep_speaker.files import replacing_directory
from deep_speaker.parallel import map_in_processes


@torch.inference_mode()
def embed(network: nn.Module, frames: np.ndarray, device: torch.device) -> np.ndarray:
    """The embedding of normalised frames (frames, mels): float32 of unit length, shape (dim,)."""
    inputs = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32))[None].to(device)
    with autocast(device):
        embedding = network(inputs)[0].float()
    return nn.functional.normalize(embedding, dim=0).cpu().numpy()


def embed_utterance(
    network: nn.Module, frames: np.ndarray, options: Extraction, device: torch.device
) -> np.ndarray:
    """The embedding of an utterance, whole or by crops, as configured; unit length.

    A whole utterance of more than `max_frames` is embedded in equal pieces of at most that many;
    pieces or crops are averaged.
    """
    if options.method == "whole":
        count = -(-len(frames) // options.max_frames)
        pieces = np.array_split(frames, count)
    else:
        frames = fit_length(frames, max(len(frames), options.crop_frames))
        starts = np.linspace(0, len(frames) - options.crop_frames, options.num_crops).astype(int)
        pieces = [frames[start : start + options.crop_frames] for start in starts]
    mean = np.mean([embed(network, piece, device) for piece in pieces], axis=0)
    return unit_length(mean)


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
        network, source = _open(self)
        frames = source.read(source.whole(utterance))
        options = self.experiment.extraction
        return utterance, embed_utterance(network, frames, options, self.device)


@lru_cache(maxsize=1)
def _open(extractor: Extractor) -> tuple[nn.Module, FeatureSource]:
    """The network and features, kept from one utterance to the next."""
    network = fold_batch_norm(load_network(extractor.checkpoint, extractor.experiment))
    return to_device(network, extractor.device), FeatureSource(
        extractor.data_dir, extractor.experiment
    )


def extract(extractor: Extractor, output: Path, num_jobs: int) -> None:
    """Embed every utterance of a data directory into an x-vector directory."""
    utt2spk = read_table(extractor.data_dir / "utt2spk")
    check_features(extractor.data_dir, extractor.experiment)
    check_unseen(load_checkpoint(extractor.checkpoint), extractor.data_dir, utt2spk)
    if extractor.device.type == "cpu":
        results: Iterator = map_in_processes(extractor, utt2spk, num_jobs)
    else:  # one process keeps a GPU busy
        results = map(extractor, utt2spk)
    bar = tqdm(results, total=len(utt2spk), unit="utt", disable=None, leave=False)
    write_xvectors(output, dict(bar), utt2spk)


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
    with replacing_directory(output) as partial:
        write_vectors(partial / "xvector", output / "xvector", embeddings)
        write_vectors(partial / "spk_xvector", output / "spk_xvector", means)
        write_table(partial / "num_utts.ark", {key: len(utts) for key, utts in spk2utt.items()})
