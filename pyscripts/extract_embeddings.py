#!/usr/bin/env python3
"""Stage 4: embeddings of a data directory by a checkpoint, as a Kaldi x-vector directory."""

import argparse
from pathlib import Path

from deep_speaker import command
from deep_speaker.config import read_experiment
from deep_speaker.devices import choose_device
from deep_speaker.embeddings import Extractor, extract


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    command.add_jobs_option(parser)
    parser.add_argument("checkpoint", type=Path, help="of any phase, for example .../best.pt")
    parser.add_argument("data_dir", type=Path, help="data directory with features")
    parser.add_argument("output", type=Path, help="folder for xvector.scp and the rest")
    options = parser.parse_args()
    extractor = Extractor(
        options.checkpoint,
        options.data_dir,
        read_experiment(options.config),
        choose_device(options.device),
    )
    extract(extractor, options.output, options.nj)


if __name__ == "__main__":
    command.run(main)
