#!/usr/bin/env python3
"""Stage 1, if the config has augmented_copies: write a data directory of copies of a training set.

The copies are 16-bit WAV files below it, with utt2uniq (copy, original) and Lhotse manifests.
Without --noise-dir, noise is simulated, babble comes from other training speakers, and there is no
music; without --rir-dir, rooms are simulated.
"""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.copies.writing import write_copies
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--noise-dir", type=Path, help="MUSAN, or any folder of noises")
    parser.add_argument("--rir-dir", type=Path, help="RIRS_NOISES, or any impulse responses")
    parser.add_argument("train_dir", type=Path, help="data/<corpus>/train")
    parser.add_argument("output", type=Path, help="data directory to write")
    command.add_jobs_option(parser)
    options = parser.parse_args()
    hold(options.output.absolute().parent)
    folders = (options.noise_dir, options.rir_dir)
    experiment = read_experiment(options.config)
    write_copies(options.train_dir, options.output, experiment, folders, options.nj)


if __name__ == "__main__":
    command.run(main)
