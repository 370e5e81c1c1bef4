#!/usr/bin/env python3
"""Check an experiment file, and print the phases it trains, in order."""

import argparse
from pathlib import Path

from deep_speaker import command
from deep_speaker.config import read_experiment
from deep_speaker.phases import phases_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    options = parser.parse_args()
    print(*phases_of(read_experiment(options.config)))


if __name__ == "__main__":
    command.run(main)
