#!/usr/bin/env python3
"""Stage 5: scores of all trial lists of a test directory, by every back end of the config.

A list is a file `trials` or `trials_<name>` of lines 'enroll test target|nontarget'. `enroll` is an
utterance, a speaker, or a model of several utterances, from lines 'model utterance...' in the file
`enroll_spk2utt`. The scores go, as lines 'enroll test score' in the order of the list, to
`<scores>/<phase>.<file name of the list>.<back end>`; those of pairs of held-out training speakers,
which calibrate the others, to `<scores>/<phase>.calibration_trials.<back end>`.
"""

import argparse
import logging
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.scoring.list_scoring import check_held_out, score_trials
from deep_speaker.scoring.score_files import SCORING_CONFIG
from deep_speaker.system import command
from deep_speaker.system.files import read_utf8, replacing_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("train_dir", type=Path, help="data/<name>/train")
    parser.add_argument("test_dir", type=Path, help="data/<name>/test, with the trial lists")
    parser.add_argument("scores", type=Path, help="folder to write")
    parser.add_argument(
        "systems",
        nargs="+",
        type=named_folder,
        metavar="PHASE=FOLDER",
        help="what to score, and the folder with xvectors_<name> of both data directories",
    )
    options = parser.parse_args()
    experiment = read_experiment(options.config)
    check_held_out(experiment, options.train_dir, [folder for _, folder in options.systems])
    for phase, folder in options.systems:
        logging.info("%s: %s", phase, folder)
        prefix = options.scores / phase
        score_trials(experiment, options.train_dir, options.test_dir, folder, prefix)
    with replacing_file(options.scores / SCORING_CONFIG) as file:
        file.write(read_utf8(options.config))


def named_folder(text: str) -> tuple[str, Path]:
    """An argparse type: `<name>=<folder>`."""
    name, _, folder = text.partition("=")
    if not name or not folder or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r}: expected <phase>=<folder>")
    return name, Path(folder)


if __name__ == "__main__":
    command.run(main)
