#!/usr/bin/env python3
"""Fuse the embeddings of several systems into one x-vector directory."""

import argparse
from pathlib import Path

from deep_speaker.embeddings.fusion import fuse_xvectors
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--method",
        choices=("concatenation", "sum"),
        default="concatenation",
        help="sum is what Deep Speaker does, for systems of one dimension (default: %(default)s)",
    )
    parser.add_argument("data_dir", type=Path, help="data/<name>/train or test")
    parser.add_argument("output", type=Path, help="x-vector directory to write")
    parser.add_argument(
        "xvector_dirs",
        type=Path,
        nargs="+",
        help="x-vector directories to fuse, one of each system",
    )
    options = parser.parse_args()
    hold(options.output.absolute().parents[1])
    fuse_xvectors(options.data_dir, options.xvector_dirs, options.output, options.method)


if __name__ == "__main__":
    command.run(main)
