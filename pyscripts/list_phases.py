#!/usr/bin/env python3
"""Check an experiment file, and print the phases it trains, in order.

With --train-set, print the folder of data/<corpus> that they are trained on instead.
"""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.config.phases import phases_of
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--train-set", action="store_true", help="print that instead")
    options = parser.parse_args()
    experiment = read_experiment(options.config)
    if options.train_set:
        print("train_augmented" if experiment.augmented_copies else "train")
    else:
        print(*phases_of(experiment))


if __name__ == "__main__":
    command.run(main)
