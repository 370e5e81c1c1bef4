#!/usr/bin/env python3
"""Stage 2: make the student of distillation out of its teacher, an ECAPA-TDNN larger than it.

Keeps the channels that tell most of the others, and mends the weights layer by layer, by the speech
of the training speakers; for `distillation.starts_from: teacher`.
"""

import argparse
import logging
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.config.made import TRAINING_SECTIONS, sections_of
from deep_speaker.features.origins import tables_heard
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.networks.devices import choose_device
from deep_speaker.networks.origins import note_checkpoint
from deep_speaker.system import command
from deep_speaker.system.locks import hold
from deep_speaker.training.slimmed_start import is_slimmed, slim_teacher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the student's experiment file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("teacher", type=Path, help="its checkpoint")
    parser.add_argument("data_dir", type=Path, help="data/<corpus>/train, with features")
    parser.add_argument("targets", type=Path, help="folder that embed_by_teacher.py has printed")
    parser.add_argument("output", type=Path, help="checkpoint to write, for example .../best.pt")
    options = parser.parse_args()
    hold(options.output.absolute().parents[1])
    experiment = read_experiment(options.config)
    if is_slimmed(options.output, experiment, options.data_dir, options.targets):
        logging.info("%s is there, slimmed from the same", options.output)
        return
    checkpoint = slim_teacher(
        experiment,
        options.teacher,
        options.data_dir,
        options.targets,
        choose_device(options.device),
    )
    save_checkpoint(options.output, checkpoint)
    settings = sections_of(experiment, *TRAINING_SECTIONS, "distillation")
    settings["teachers"] = [options.targets.name]
    note_checkpoint(options.output, tables_heard(options.data_dir), settings)


if __name__ == "__main__":
    command.run(main)
