#!/usr/bin/env python3
"""Check Kaldi data directories and x-vector directories, and print a line about each good one.

Refuses what Kaldi's validate_data_dir.sh refuses, and faults that would stop later stages: arks
that are missing, cut short, not of floats, not finite or of wrong sizes; features without voice
activity; durations that do not fit the frames; relative paths; trials of unknown names. The
first error names file, line and remedy.
"""

import argparse
from pathlib import Path

from deep_speaker.system import command
from deep_speaker.validation.archives import validate_features
from deep_speaker.validation.data_dirs import check_paths, count_utterances, validate_data_dir
from deep_speaker.validation.durations import check_durations
from deep_speaker.validation.trials import validate_trials
from deep_speaker.validation.xvectors import is_xvector_dir, validate_xvector_dir


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="of either kind")
    for folder in parser.parse_args().folders:
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder: run the stage that makes it")
        held = validate_xvector_dir(folder) if is_xvector_dir(folder) else check_data_dir(folder)
        print(f"{folder}: {held}", flush=True)


def check_data_dir(folder: Path) -> str:
    """Check all of a data directory, and return its size in words."""
    validate_data_dir(folder)
    check_paths(folder / "wav.scp")
    features = validate_features(folder)
    check_durations(folder)
    lists, trials = validate_trials(folder)
    utterances, speakers, hours = count_utterances(folder)
    held = f"{utterances} utterances, {speakers} speakers"
    held += "" if hours is None else f", {hours:.2f} h"
    held += "" if features is None else f", {features[0]} frames of {features[1]} values"
    return held + (f", {trials} trials in {lists} lists" if lists else "")


if __name__ == "__main__":
    command.run(main)
