#!/usr/bin/env python3
"""Write an experiment file with some keys replaced, such as a smaller budget of steps.

A key that stands in a section of an override replaces that key in the same section of the
experiment, with all below it; the section's other keys stay, unless the override names another kind
of network or front end. What an override says of fine-tuning is left out where the experiment has
none.
"""

import argparse
from pathlib import Path

from deep_speaker.config import override_experiment
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="experiment file")
    parser.add_argument("overrides", type=Path, nargs="+", help="files, in turn")
    parser.add_argument("output", type=Path, help="experiment file to write")
    options = parser.parse_args()
    override_experiment(options.config, options.overrides, options.output)


if __name__ == "__main__":
    command.run(main)
