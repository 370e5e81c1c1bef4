#!/usr/bin/env python3
"""Time of stage 4 on a CPU: utterances embedded one by one on one thread, in several ways.

`plain` is the network as it was trained, in float32; `float32` and `bfloat16` are what stage 4
embeds by: batch normalisation folded, channels last, weights cast once. Seconds are of processor
time. Prints the lowest cosine between embeddings of each way and the plain ones, too.

    . ./path.sh; tests/benchmarks/extraction.py exp/embedded/embedded/config.yaml \\
      exp/embedded/embedded/finetuning/best.pt data/embedded/test
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from deep_speaker.config import read_experiment
from deep_speaker.embeddings.extraction import Extractor, load_extractor
from deep_speaker.embeddings.inference import embed_pieces, for_inference
from deep_speaker.embeddings.unit_length import average
from deep_speaker.networks.pace import PRECISIONS

CPU = torch.device("cpu")
UTTERANCES = 100  # evenly spaced over the data directory


def time_extraction(
    config: Path, checkpoint: Path, data_dir: Path, rounds: int = 5
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the seconds of each way, round by round in turn, and its lowest cosine to plain."""
    torch.set_num_threads(1)
    extractor = Extractor(checkpoint, data_dir, read_experiment(config), CPU)
    network, reader = load_extractor(extractor)
    options = extractor.experiment.extraction
    utterances = list(reader.source.utt2spk)
    chosen = utterances[:: -(-len(utterances) // UTTERANCES)]
    pieces = [reader.read(utterance) for utterance in chosen]
    networks = {"plain": network.eval()}
    networks |= {each: for_inference(network, CPU, each) for each in PRECISIONS}
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    vectors: dict[str, np.ndarray] = {}
    for _ in range(rounds):
        for name, each in networks.items():
            start = time.process_time()
            found = [average(embed_pieces(each, some, options, CPU)) for some in pieces]
            seconds[name].append(time.process_time() - start)
            vectors[name] = np.stack(found)
    plain = vectors["plain"]
    return seconds, {
        name: float((found * plain).sum(axis=1).min()) for name, found in vectors.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="experiment file")
    parser.add_argument("checkpoint", type=Path, help="checkpoint of any phase")
    parser.add_argument("data_dir", type=Path, help="data directory with features")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    seconds, cosines = time_extraction(
        options.config, options.checkpoint, options.data_dir, options.rounds
    )
    plain = median(seconds["plain"])
    for name, times in seconds.items():
        spread = f"{min(times):.3f} to {max(times):.3f}"
        ratio = plain / median(times)
        print(f"{name}: {median(times):.3f} s ({spread}), {ratio:.2f} times as fast as plain, "
              f"cosine {cosines[name]:.6f} or more")  # fmt: skip


if __name__ == "__main__":
    main()
