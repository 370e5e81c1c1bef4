#!/usr/bin/env python3
"""Stages 2 and 3: train the network of an experiment, in one of its phases.

pretraining starts from random weights; finetuning and pretraining_continued (the same steps with
the loss of pre-training: the control for what fine-tuning adds) start from --initial-checkpoint.
"""

import argparse
from pathlib import Path

from deep_speaker import command
from deep_speaker.config import read_experiment
from deep_speaker.devices import choose_device
from deep_speaker.trainer import PHASES
from deep_speaker.training import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--phase", choices=PHASES, required=True)
    parser.add_argument("--initial-checkpoint", type=Path, help="weights to start from")
    parser.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("data_dir", type=Path, help="data/<corpus>/train, with features")
    parser.add_argument("output", type=Path, help="folder of the checkpoints and logs")
    options = parser.parse_args()
    train(
        read_experiment(options.config),
        options.phase,
        options.data_dir,
        options.output,
        options.initial_checkpoint,
        options.resume,
        choose_device(options.device),
    )


if __name__ == "__main__":
    command.run(main)
