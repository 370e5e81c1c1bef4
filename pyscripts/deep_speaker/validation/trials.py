"""Checks of the trial lists and enrolment models of a test directory."""

import logging
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.kaldi.tables import iterate_keys
from deep_speaker.trials.lists import iterate_trials, list_trial_files
from deep_speaker.trials.models import MODELS
from deep_speaker.validation.tables import check_characters, iterate_sorted, line_error

LINE_REMEDY = "mend or remove this line"


def validate_trials(folder: Path) -> tuple[int, int]:
    """Check all lists of a directory whose tables are valid, block by block.

    Returns:
        The number of lists, and that of their trials.

    Raises:
        ValueError: with file and line: a line is not `enroll test target|nontarget`, or a name is
            not that of an utterance, model or speaker; or a list has only one kind of trials, and
            training speakers are there. Without any it is only warned of: it can be scored.
    """
    paths = list_trial_files(folder)
    if not paths and not (folder / MODELS).exists():
        return 0, 0
    known = set(iterate_keys(folder / "utt2spk"))
    known |= _check_models(folder / MODELS, known)
    known.update(iterate_keys(folder / "spk2utt"))
    index = KeyRows(known)
    return len(paths), sum(_check_list(path, index) for path in paths)


def _check_models(path: Path, utterances: set[str]) -> set[str]:
    models = set()
    for number, model, members in iterate_sorted(path) if path.exists() else ():
        for key in members.split():
            if key not in utterances:
                wrong = f"{key!r} of {model!r} is no utterance"
                raise line_error(path, number, f"{wrong}: {LINE_REMEDY}")
        if model in utterances:
            raise line_error(path, number, f"{model!r} is an utterance's id too: rename the model")
        models.add(model)
    return models


def _check_list(path: Path, known: KeyRows) -> int:
    check_characters(path)
    total = targets = 0
    for block in iterate_trials(path):
        for column in (block.enroll, block.test):
            rows = known.find(column)
            if rows.min() < 0:
                i = int(np.argmax(rows < 0))
                wrong = f"{column[i]!r} is no utterance, model or speaker of the directory"
                raise line_error(path, block.first_line + i, f"{wrong}: {LINE_REMEDY}")
        total += len(block.is_target)
        targets += int(block.is_target.sum())
    if targets in (0, total):
        problem = f"{path}: {targets} target and {total - targets} nontarget trials: error rates"
        if path.parent.with_name("train").exists():
            raise ValueError(f"{problem} need both kinds: add the other")
        logging.warning("%s, which need both kinds, cannot be computed", problem)
    return total
