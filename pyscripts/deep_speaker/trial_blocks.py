"""Trial lists, `enroll test target|nontarget`, read in blocks of lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.tables import iterate_columns, missing_input

FORM = "enroll test target|nontarget"
LABELS = {"target", "nontarget"}


class TrialBlock(NamedTuple):
    """Trials that follow each other in a list."""

    first_line: int
    enroll: list[str]
    test: list[str]
    is_target: np.ndarray  # bool


def iterate_trials(path: Path) -> Iterator[TrialBlock]:
    """Yield a list in blocks.

    Raises:
        ValueError: the file is missing or empty, or a line is not `enroll test target|nontarget`.
    """
    if not path.is_file():
        raise ValueError(missing_input(path, 0))
    first = 0
    for first, (enroll, test, labels) in iterate_columns(path, FORM):
        if not LABELS.issuperset(labels):
            i = next(i for i, label in enumerate(labels) if label not in LABELS)
            raise ValueError(
                f"{path}, line {first + i}: expected '{FORM}', got "
                f"'{enroll[i]} {test[i]} {labels[i]}'"
            )
        is_target = np.fromiter(map("target".__eq__, labels), bool, len(labels))
        yield TrialBlock(first, enroll, test, is_target)
    if not first:
        raise ValueError(f"{path}: no trials")
