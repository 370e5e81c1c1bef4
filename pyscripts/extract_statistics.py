#!/usr/bin/env python3
"""Stage 4, the floor: log-mel statistics and LDA instead of a network, as x-vector directories.

Writes statistics/ and statistics_no_mean/, with xvectors_train and xvectors_test each.
"""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.embeddings.channel_floor import extract_statistics
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("train_dir", type=Path, help="data/<corpus>/train, with features")
    parser.add_argument("test_dir", type=Path, help="data/<corpus>/test, with features")
    parser.add_argument("output", type=Path, help="exp/<corpus>/<experiment>")
    options = parser.parse_args()
    experiment = read_experiment(options.config)
    for name, with_mean in (("statistics", True), ("statistics_no_mean", False)):
        extract_statistics(
            options.train_dir, options.test_dir, options.output / name, experiment, with_mean
        )


if __name__ == "__main__":
    command.run(main)
