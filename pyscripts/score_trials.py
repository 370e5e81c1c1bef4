#!/usr/bin/env python3
"""Stage 5: scores of all trial lists of a test directory.

A list is a file `trials` or `trials_<name>` of lines 'enroll test target|nontarget'. `enroll` is an
utterance, a speaker, or a model of several utterances, from lines 'model utterance...' in the file
`enroll_spk2utt`. The scores go, as lines 'enroll test score' in the order of the list, to
`<prefix>.<file name of the list>.cosine`; where the x-vector directory holds crops, their distances
are scored instead of cosines (`.crop_distance`).
"""

import argparse
from pathlib import Path

from deep_speaker import command
from deep_speaker.scoring import score_trials
from deep_speaker.trials import find_trial_lists, read_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path, help="data/<name>/test, with the trial lists")
    parser.add_argument("xvector_dir", type=Path, help="folder with the vectors of stage 4")
    parser.add_argument("prefix", type=Path, help="of the score files: <folder>/<phase>")
    options = parser.parse_args()
    trial_lists = find_trial_lists(options.data_dir).values()
    models = read_models(options.data_dir)
    score_trials(trial_lists, options.xvector_dir, options.prefix, models)


if __name__ == "__main__":
    command.run(main)
