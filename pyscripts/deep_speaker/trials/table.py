"""Trial lists as columns of numbers, so that lists of any length can be scored in blocks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.tables import read_optional_table, read_table
from deep_speaker.trials.lists import iterate_trials
from deep_speaker.trials.models import read_models


@dataclass(frozen=True)
class TrialTable:
    """A whole list, 9 bytes a trial.

    Attributes:
        names: every utterance, model and speaker in it.
        enroll: rows of `names`, int32, shape (trials,).
        test: likewise.
        is_target: bool, shape (trials,).
    """

    names: list[str]
    enroll: np.ndarray
    test: np.ndarray
    is_target: np.ndarray

    def __len__(self) -> int:
        return len(self.is_target)


def read_trial_table(path: Path) -> TrialTable:
    """Read all of a list; see `lists.iterate_trials`."""
    index: dict[str, int] = {}
    columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for block in iterate_trials(path):
        for column in (block.enroll, block.test):
            for name in dict.fromkeys(column):
                index.setdefault(name, len(index))
        columns.append(
            (find_rows(block.enroll, index), find_rows(block.test, index), block.is_target)
        )
    return TrialTable(list(index), *map(np.concatenate, zip(*columns, strict=True)))


def find_rows(names: list[str], index: Mapping[str, int]) -> np.ndarray:
    """Return the numbers of names, -1 of unknown ones: int32, shape (names,)."""
    return np.fromiter((index.get(name, -1) for name in names), np.int32, len(names))


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
