#!/usr/bin/env python3
"""Stage 2: embed a training set by the teachers of distillation, and print the folders of each.

Each teacher is a checkpoint of any experiment, with a front end of its own. A folder is named by
all that decides the embeddings, and made once.
"""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.embeddings.teachers import embed_training_set
from deep_speaker.networks.devices import choose_device
from deep_speaker.networks.pace import add_precision_option
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the student's experiment file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    command.add_jobs_option(parser)
    add_precision_option(parser)
    parser.add_argument("data_dir", type=Path, help="data/<corpus>/train, with features")
    parser.add_argument("output", type=Path, help="folder to write a folder of each teacher into")
    parser.add_argument("teachers", type=Path, nargs="+", help="checkpoints, such as .../best.pt")
    options = parser.parse_args()
    hold(options.output, wait=True)  # of all experiments of a training set
    hold(options.data_dir.absolute().parent, to_write=False)
    experiment, device = read_experiment(options.config), choose_device(options.device)
    for teacher in options.teachers:
        folder = embed_training_set(
            teacher,
            options.data_dir,
            experiment,
            options.output,
            device,
            options.nj,
            options.precision,
        )
        print(folder)


if __name__ == "__main__":
    command.run(main)
