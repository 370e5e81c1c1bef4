#!/usr/bin/env python3
"""Stage 5: cosine scores of a trial list."""

import argparse
from pathlib import Path

from deep_speaker import command
from deep_speaker.scoring import score_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=Path, help="lines 'enroll test target|nontarget'")
    parser.add_argument("xvector_dir", type=Path, help="folder with xvector.scp, spk_xvector.scp")
    parser.add_argument("output", type=Path, help="score file, lines 'enroll test score'")
    options = parser.parse_args()
    score_trials(options.trials, options.xvector_dir, options.output)


if __name__ == "__main__":
    command.run(main)
