"""Trial lists as columns of numbers, so that lists of any length can be scored in blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.kaldi.tables import read_optional_table, read_table
from deep_speaker.trials.lists import iterate_trials
from deep_speaker.trials.models import read_models


@dataclass(frozen=True)
class TrialTable:
    """A whole list, 9 bytes a trial.

    Attributes:
        index: finds every utterance, model and speaker in it.
        enroll: rows of `names`, int32, shape (trials,).
        test: likewise.
        is_target: bool, shape (trials,).
    """

    index: KeyRows
    enroll: np.ndarray
    test: np.ndarray
    is_target: np.ndarray

    @cached_property
    def names(self) -> list[str]:
        """Every utterance, model and speaker in the list."""
        return self.index.names()

    def __len__(self) -> int:
        return len(self.is_target)


def read_trial_table(path: Path) -> TrialTable:
    """Read all of a list; see `lists.iterate_trials`."""
    index = KeyRows()
    columns = [np.empty(0, kind) for kind in (np.int32, np.int32, bool)]
    for block in iterate_trials(path):
        rows = index.find_or_add(block.enroll), index.find_or_add(block.test)
        for column, part in zip(columns, (*rows, block.is_target), strict=True):
            start = len(column)
            # Grown in place: joined at the end, the parts would be held twice.
            column.resize(start + len(part), refcheck=False)
            column[start:] = part
    return TrialTable(index, *columns)


def find_speakers(names: Iterable[str], data_dir: Path) -> list[str]:
    """Find the speakers of utterances, of models (by their first utterance) and of speakers."""
    speakers = read_table(data_dir / "utt2spk")
    for model, utterances in read_models(data_dir).items():
        speakers.setdefault(model, speakers.get(utterances[0], model))
    return [speakers.get(name, name) for name in names]


def find_same_sex(trials: TrialTable, data_dir: Path) -> np.ndarray | None:
    """Find the trials of two speakers of one sex: bool, (trials,); None if a sex is not known."""
    sex = read_optional_table(data_dir / "spk2gender")
    sexes = [sex.get(speaker) for speaker in find_speakers(trials.names, data_dir)]
    if None in sexes:
        return None
    is_male = np.array([letter == "m" for letter in sexes])
    return is_male[trials.enroll] == is_male[trials.test]
