#!/usr/bin/env python3
"""Stage 1, if the config has augmented_copies: join a training set and its copies.

Both have features by now. The copies get the voice activity of their originals, then the tables of
both are joined; arks and audio stay where they are.
"""

import argparse
from pathlib import Path

from deep_speaker.copies.joining import adopt_voice_activity, join_data_dirs
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train_dir", type=Path, help="data/<corpus>/train")
    parser.add_argument("copies", type=Path, help="data directory of its copies")
    parser.add_argument("output", type=Path, help="data directory to write")
    command.add_jobs_option(parser)
    options = parser.parse_args()
    hold(options.output.absolute().parent)
    adopt_voice_activity(options.copies, options.train_dir, options.nj)
    join_data_dirs(options.output, options.train_dir, options.copies)


if __name__ == "__main__":
    command.run(main)
