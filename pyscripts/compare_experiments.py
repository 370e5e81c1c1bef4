#!/usr/bin/env python3
"""Print the results of all experiments as Markdown tables, one per corpus and trial list."""

import argparse
from pathlib import Path

from deep_speaker.results.comparison import compare_experiments
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("exp"), help="of experiments (default: exp)"
    )
    parser.add_argument("--trials", help="the only list to show, as results.json names it")
    options = parser.parse_args()
    print(compare_experiments(options.folder, options.trials))


if __name__ == "__main__":
    command.run(main)
