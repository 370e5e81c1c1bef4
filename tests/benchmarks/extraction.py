"""Stage 4 on a CPU, one thread: utterances of 2 to 15 s one by one, with random weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.comparison import OURS, Comparison, Side, compare
from benchmarks.training import CONF
from deep_speaker.config import read_experiment
from deep_speaker.embeddings.inference import embed, for_inference
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork

CPU = torch.device("cpu")
NETWORKS = {"ResCNN": ("deep_speaker.yaml", 10), "small ResCNN": ("embedded.yaml", 100)}
SHORTEST, LONGEST = 200, 1500  # frames
CLOSE = 0.999  # the cosine between what two precisions embed


def compare_all(scratch: Path) -> list[Comparison]:
    """Compare the networks that stage 4 embeds by with those that were trained, in float32."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = [_compare(name, config, number) for name, (config, number) in NETWORKS.items()]
    torch.set_num_threads(threads)
    return found


def _compare(name: str, config: str, number: int) -> Comparison:
    experiment = read_experiment(CONF / config)
    rng = np.random.default_rng(0)
    utterances = [
        rng.standard_normal((frames, experiment.features.num_bins), dtype=np.float32)
        for frames in np.linspace(SHORTEST, LONGEST, number).astype(int)
    ]
    network = build_network(experiment).eval()
    faster = for_inference(network, CPU, "bfloat16")
    assert _lowest_cosine(network, faster, utterances) > CLOSE

    def embedding(each: EmbeddingNetwork) -> Callable[[], object]:
        return lambda: [embed(each, [frames], CPU) for frames in utterances]

    sides = {
        OURS: Side(embedding(faster), number),
        "float32, as trained": Side(embedding(network), number, wanted=1.8),
        "float32, folded": Side(embedding(for_inference(network, CPU, "float32")), number),
    }
    return compare("4", f"{name}, utterances of 2 to 15 s, 1 thread", "utterances", sides)


def _lowest_cosine(
    network: EmbeddingNetwork, other: EmbeddingNetwork, utterances: list[np.ndarray]
) -> float:
    return min(
        float((embed(network, [frames], CPU) * embed(other, [frames], CPU)).sum())
        for frames in utterances
    )
