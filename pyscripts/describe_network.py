#!/usr/bin/env python3
"""Print the layers of an experiment's network, its number of parameters, and what it needs."""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.networks.description import describe_layers
from deep_speaker.networks.registry import build_network
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument(
        "--frames",
        type=command.positive_int,
        help="of the utterance whose shapes are shown (default: a chunk of the first phase)",
    )
    options = parser.parse_args()
    experiment = read_experiment(options.config)
    frames = options.frames or experiment.first_phase.chunk_frames
    print(describe_layers(build_network(experiment), frames))


if __name__ == "__main__":
    command.run(main)
