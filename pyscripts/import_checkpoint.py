#!/usr/bin/env python3
"""Turn published weights, a model folder, or a checkpoint of any phase into an initial model."""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.networks.origins import note_checkpoint
from deep_speaker.published.importing import import_weights
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="experiment file with its network"
    )
    parser.add_argument(
        "model",
        type=Path,
        help="file of weights such as baseline_lite_ap.model, models/<name>, or .../best.pt",
    )
    parser.add_argument("output", type=Path, help="checkpoint to write, for example .../best.pt")
    options = parser.parse_args()
    hold(options.output.absolute().parents[1])
    checkpoint = import_weights(options.model, read_experiment(options.config))
    save_checkpoint(options.output, checkpoint)
    # A file of its own from now on: what becomes of where it came from does not matter.
    note_checkpoint(options.output, settings={"weights": str(options.model)})


if __name__ == "__main__":
    command.run(main)
