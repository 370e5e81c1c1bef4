#!/usr/bin/env python3
"""Turn a model of voxceleb_trainer into a checkpoint, for extraction or as a start of training."""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.networks.published import import_model
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file of its network")
    parser.add_argument("model", type=Path, help="for example baseline_lite_ap.model")
    parser.add_argument("output", type=Path, help="checkpoint to write, for example .../best.pt")
    options = parser.parse_args()
    checkpoint = import_model(options.model, read_experiment(options.config))
    save_checkpoint(options.output, checkpoint)


if __name__ == "__main__":
    command.run(main)
