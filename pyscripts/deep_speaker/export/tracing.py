"""Tracing: the path of a checkpoint from samples, or frames, to an embedding as a graph of torch's.

A trace keeps the branches that the example took, and all numbers that torch computes outside
tensors. That lengths stay free is checked on the finished file, see `check_equal`.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.folders import CONFIG
from deep_speaker.embeddings.inference import for_inference
from deep_speaker.export.sample_network import FrameNetwork, SampleNetwork
from deep_speaker.export.voice import hears_all
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint, trained_with
from deep_speaker.networks.registry import build_network
from deep_speaker.published.importing import import_weights
from deep_speaker.voices.onnx_embedder import FORMAT_VERSION

Input = Literal["samples", "frames"]
TRACED_SECONDS, CHECKED_SECONDS = 2.0, 3.3
LEAST_COSINE = 0.99999  # of two embeddings that are equal but for rounding
CPU = torch.device("cpu")


@dataclass
class Export:
    """A network to be written.

    Attributes:
        network: maps one tensor, named `takes`, to an embedding.
        traced: the same as a graph.
        metadata: what the file says of itself.
        example: of the input, as traced.
        other: of another length.
    """

    network: nn.Module
    traced: torch.jit.ScriptModule
    takes: Input
    metadata: dict[str, str]
    example: Tensor
    other: Tensor


def trace(model: Path, metadata: Mapping[str, str], takes: Input) -> Export:
    """Load a checkpoint or model folder, and trace its path."""
    checkpoint = read_model(model)
    experiment = Experiment.model_validate(trained_with(checkpoint))
    trained = build_network(experiment)
    trained.load_state_dict(checkpoint.network)
    embedding_network = for_inference(trained, CPU, "float32")
    kind = SampleNetwork if takes == "samples" else FrameNetwork
    network = kind(embedding_network, experiment).eval().requires_grad_(False)
    example = make_example(experiment, takes, TRACED_SECONDS)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of branches on lengths, which `check_equal` looks after
        traced = torch.jit.trace(network, (example,), check_trace=False)
    return Export(
        network,
        traced,
        takes,
        describe(experiment, takes, network.fewest) | dict(metadata),
        example,
        make_example(experiment, takes, CHECKED_SECONDS),
    )


def read_model(path: Path) -> Checkpoint:
    """Read a checkpoint, or a model folder as one."""
    if path.is_dir():
        return import_weights(path, read_experiment(path / CONFIG))
    return load_checkpoint(path)


def describe(experiment: Experiment, takes: Input, fewest: int) -> dict[str, str]:
    """Return what a file says of itself.

    `input` names what it takes, and `fewest_...` how many of them at least; `normalisation` is the
    section of the experiment in JSON; `voice_activity` is `inside` the file, or `none`: it embeds
    all that it is given.
    """
    inside = takes == "samples" and not hears_all(experiment)
    return {
        "format_version": FORMAT_VERSION,
        "input": takes,
        f"fewest_{takes}": str(fewest),
        "sample_scale": "16-bit integers",
        "sampling_rate": str(experiment.features.sampling_rate),
        "num_bins": str(experiment.features.num_bins),
        "normalisation": experiment.normalisation.model_dump_json(),
        "embedding_dim": str(experiment.network.embedding_dim),
        "voice_activity": "inside" if inside else "none",
    }


def make_example(experiment: Experiment, takes: Input, seconds: float) -> Tensor:
    """Return noise with pauses of half a second, or frames of noise."""
    rng = np.random.default_rng(0)
    features = experiment.features
    if takes == "frames":
        shape = (1, int(seconds * 1000 / features.frame_shift_ms), features.num_bins)
        return torch.from_numpy(rng.normal(0, 1, shape).astype(np.float32))
    times = np.arange(int(seconds * features.sampling_rate)) / features.sampling_rate
    samples = rng.normal(0, np.where(times % 1 < 0.5, 1000, 3))
    return torch.from_numpy(samples.astype(np.float32))


def check_equal(export: Export, embed: Callable[[Tensor], np.ndarray]) -> None:
    """Refuse a file that embeds an example of another length than the traced one differently."""
    with torch.inference_mode():
        expected = export.network(export.other).numpy()
    found = embed(export.other)
    cosine = float(expected.astype(np.float64) @ found)
    logging.info(
        "export: embeds as the checkpoint does, to %.1e in each number, cosine %.7f",
        np.abs(expected - found).max(),
        cosine,
    )
    if not cosine >= LEAST_COSINE:
        raise ValueError(
            f"export: the file's embedding has cosine {cosine:.6f} with the checkpoint's: take the "
            "versions of torch, onnx and onnxruntime in requirements.txt"
        )
