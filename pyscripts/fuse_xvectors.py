#!/usr/bin/env python3
"""Fuse the embeddings of several systems into an x-vector directory."""

import argparse
from pathlib import Path

from deep_speaker.scoring.fusion import fuse_xvectors
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--method",
        choices=("concatenation", "sum"),
        default="concatenation",
        help="sum: as Deep Speaker fuses, of systems of one dimension (default: %(default)s)",
    )
    parser.add_argument("data_dir", type=Path, help="data/<name>/train or test")
    parser.add_argument("output", type=Path, help="x-vector directory to write")
    parser.add_argument("xvector_dirs", type=Path, nargs="+", help="one of each system")
    options = parser.parse_args()
    fuse_xvectors(options.data_dir, options.xvector_dirs, options.output, options.method)


if __name__ == "__main__":
    command.run(main)
