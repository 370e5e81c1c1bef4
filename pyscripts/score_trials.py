#!/usr/bin/env python3
"""Stage 5: scores of all trial lists of a test directory, by every back end of the config.

A list is a file `trials` or `trials_<name>` of lines 'enroll test target|nontarget'. `enroll` is an
utterance, a speaker, or a model of several utterances, from lines 'model utterance...' in the file
`enroll_spk2utt`. The scores go, as lines 'enroll test score' in the order of the list, to
`<prefix>.<file name of the list>.<back end>`; those of pairs of held-out training speakers, which
calibrate the others, to `<prefix>.calibration_trials.<back end>`.
"""

import argparse
from pathlib import Path

from deep_speaker import command
from deep_speaker.config import read_experiment
from deep_speaker.scoring.list_scoring import score_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("train_dir", type=Path, help="data/<name>/train")
    parser.add_argument("test_dir", type=Path, help="data/<name>/test, with the trial lists")
    parser.add_argument("xvectors", type=Path, help="folder with xvectors_<name> of both")
    parser.add_argument("prefix", type=Path, help="of the score files: <folder>/<phase>")
    options = parser.parse_args()
    experiment = read_experiment(options.config)
    score_trials(experiment, options.train_dir, options.test_dir, options.xvectors, options.prefix)


if __name__ == "__main__":
    command.run(main)
