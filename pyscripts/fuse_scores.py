#!/usr/bin/env python3
"""Fuse the scores of several systems, or calibrate those of one.

Reads the score files of all trial lists of a test directory, and of the calibration trials that
stage 5 writes beside them. Writes log likelihood ratios to `<output>.<list>.fusion`.
"""

import argparse
from pathlib import Path

from deep_speaker.scoring.fusion import fuse_scores
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--method",
        choices=("regression", "sum"),
        default="regression",
        help="regression is logistic, fitted on the calibration trials; sum adds standardised "
        "scores, as Deep Speaker does, uncalibrated (default: %(default)s)",
    )
    parser.add_argument("--backend", help="back end to fuse (default: each system's main one)")
    parser.add_argument("test_dir", type=Path, help="data/<name>/test, with the trial lists")
    parser.add_argument("output", type=Path, help="prefix to write: <folder>/scores/<phase>")
    parser.add_argument("prefixes", type=Path, nargs="+", help="one to read of each system")
    options = parser.parse_args()
    hold(options.output.absolute().parents[1])
    fuse_scores(options.test_dir, options.prefixes, options.output, options.method, options.backend)


if __name__ == "__main__":
    command.run(main)
