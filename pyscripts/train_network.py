#!/usr/bin/env python3
"""Stages 2 and 3: train the network of an experiment, in one of its phases.

distillation and pretraining start from random weights, or from --initial-checkpoint; finetuning and
pretraining_continued (the same steps with the loss of pre-training: the control for what
fine-tuning adds) start from the latter.
"""

import argparse
import sys
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.config.phases import TRAINED
from deep_speaker.networks.devices import choose_device, keep_memory
from deep_speaker.networks.pace import Asked, add_precision_option
from deep_speaker.system import command
from deep_speaker.system.locks import are_held, hold
from deep_speaker.training import ranks
from deep_speaker.training.loop import train
from deep_speaker.training.recorder import CHECKPOINT_MINUTES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--phase", choices=TRAINED, required=True)
    parser.add_argument("--initial-checkpoint", type=Path, help="weights to start from")
    parser.add_argument(
        "--targets",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="what embed_by_teacher.py has written, of each teacher of distillation",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add_precision_option(parser)
    parser.add_argument(
        "--threads",
        type=command.positive_int,
        help="of each process, on a CPU (default: one or one per core, what is faster in a trial)",
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=CHECKPOINT_MINUTES,
        help="between the checkpoints of a long epoch (default: %(default)g)",
    )
    parser.add_argument("data_dir", type=Path, help="data/<corpus>/train, with features")
    parser.add_argument("output", type=Path, help="folder of the checkpoints and logs")
    parser.add_argument(
        "--ranks",
        type=command.positive_int,
        default=1,
        help="processes of a machine that train together, each on a part of every batch and a GPU "
        "of its own",
    )
    parser.add_argument(
        "--nodes",
        type=command.positive_int,
        default=1,
        help="machines that train together, on each of which this command is run",
    )
    parser.add_argument(
        "--rendezvous", metavar="HOST:PORT", help="of one of several machines, where they meet"
    )
    options = parser.parse_args()
    device = choose_device(options.device)
    if max(options.ranks, options.nodes) > 1 and not ranks.is_launched():
        from deep_speaker.training.launching import (
            launch,  # slow to import, and not needed by a rank
        )

        sys.exit(launch(options.ranks, options.nodes, options.rendezvous))
    keep_memory()
    with ranks.start(device) as device:
        # What has started a rank, perhaps on another machine, may hold the locks already.
        if not any(ranks.gather_objects(are_held())) and ranks.rank() == 0:
            hold(options.output.absolute().parent)
            hold(options.data_dir.absolute().parent, to_write=False)
        train(
            read_experiment(options.config),
            options.phase,
            options.data_dir,
            options.output,
            options.initial_checkpoint,
            options.resume,
            device,
            Asked(options.precision, options.threads),
            options.targets,
            options.checkpoint_minutes,
        )


if __name__ == "__main__":
    command.run(main)
