#!/usr/bin/env python3
"""Stage 4, the channel floor: statistics of log-mel frames and LDA instead of a network.

Writes x-vector directories, xvectors_train and xvectors_test, into the folders of the two phases
with and without the mean.
"""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.config.phases import PHASES
from deep_speaker.embeddings.channel_floor import extract_statistics
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("train_dir", type=Path, help="data/<corpus>/train, with features")
    parser.add_argument("test_dir", type=Path, help="data/<corpus>/test, with features")
    parser.add_argument("experiment_dir", type=Path, help="exp/<corpus>/<experiment>")
    options = parser.parse_args()
    hold(options.experiment_dir)
    hold(options.train_dir.absolute().parent, to_write=False)
    experiment = read_experiment(options.config)
    for phase in PHASES.values():
        if phase.keeps_mean is not None:
            folder = options.experiment_dir / phase.name
            extract_statistics(
                options.train_dir, options.test_dir, folder, experiment, phase.keeps_mean
            )


if __name__ == "__main__":
    command.run(main)
