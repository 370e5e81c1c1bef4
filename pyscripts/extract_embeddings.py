#!/usr/bin/env python3
"""Stage 4: embed data directories by a checkpoint, each into a Kaldi x-vector directory."""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.networks.devices import choose_device
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    command.add_jobs_option(parser)
    parser.add_argument(
        "checkpoint", type=Path, help="checkpoint of any phase, for example .../best.pt"
    )
    parser.add_argument(
        "output", type=Path, help="folder to write xvectors_<name of the data directory>/ into"
    )
    parser.add_argument("data_dirs", type=Path, nargs="+", help="data directories with features")
    options = parser.parse_args()
    experiment, device = read_experiment(options.config), choose_device(options.device)
    for data_dir in options.data_dirs:
        extractor = Extractor(options.checkpoint, data_dir, experiment, device)
        extract(extractor, options.output / f"xvectors_{data_dir.name}", options.nj)


if __name__ == "__main__":
    command.run(main)
