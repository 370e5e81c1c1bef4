"""Trial lists in Kaldi's form, `enroll test target|nontarget`, read by blocks of lines."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.columns import iterate_columns
from deep_speaker.kaldi.words import Words
from deep_speaker.system.files import replacing_file

TRIAL_FORM = "enroll test target|nontarget"
TARGET, NONTARGET = b"target", b"nontarget"
# Ends of the file names of lists of these protocols.
ONE_PLUS_99_SUFFIX = "_one_plus_99"
IDENTIFICATION_SUFFIX = "_identification"


class Trial(NamedTuple):
    """A model, speaker or utterance that is enrolled, and an utterance that is tested with it."""

    enroll: str
    test: str
    target: bool


class TrialBlock(NamedTuple):
    """Consecutive trials of a list, as columns."""

    first_line: int
    enroll: Words
    test: Words
    is_target: np.ndarray  # bool


def iterate_trials(path: Path) -> Iterator[TrialBlock]:
    """Yield a list in blocks.

    Raises:
        ValueError: the file is missing or empty, or a line is not `enroll test target|nontarget`.
    """
    if not path.is_file():
        raise ValueError(Stage.PREPARATION.missing(path))
    first = 0
    for first, (enroll, test, labels) in iterate_columns(path, TRIAL_FORM):
        is_target = labels.are(TARGET)
        is_other = ~(is_target | labels.are(NONTARGET))
        if is_other.any():
            i = int(np.argmax(is_other))
            raise ValueError(
                f"{path}, line {first + i}: expected '{TRIAL_FORM}', got "
                f"'{enroll[i]} {test[i]} {labels[i]}'"
            )
        yield TrialBlock(first, enroll, test, is_target)
    if not first:
        raise ValueError(f"{path}: no trials")


def find_trial_lists(folder: Path) -> dict[str, Path]:
    """Find the trial lists of a test directory, by their names in the results.

    The file `trials` is the list `trials`, a file `trials_<name>` the list `<name>`. A list comes
    just before its partner of the 1 + 99 protocol.

    Raises:
        ValueError: there is none, or two files have one name.
    """
    lists: dict[str, Path] = {}
    for path in list_trial_files(folder):
        name = path.name.removeprefix("trials_")
        if name in lists:
            raise ValueError(
                f"{lists[name]} and {path.name} both become {name!r} in the results: rename one"
            )
        lists[name] = path
    if not lists:
        raise ValueError(Stage.PREPARATION.missing(folder / "trials"))
    return lists


def list_trial_files(folder: Path) -> list[Path]:
    """List the files `trials` and `trials_<name>` of a folder, without half-written ones.

    Raises:
        ValueError: a name cannot be printed.
    """
    found = [
        check_list_name(path)
        for path in [folder / "trials", *folder.glob("trials_*")]
        if path.is_file() and path.suffix != ".partial"
    ]
    return sorted(found, key=lambda path: (path.name.removesuffix(ONE_PLUS_99_SUFFIX), path.name))


def check_list_name(path: Path) -> Path:
    """Return the path of a trial list, whose name will stand in tables and names of files.

    Raises:
        ValueError: the name holds a line feed, or another character that cannot be printed.
    """
    if not path.name.isprintable():
        raise ValueError(f"{str(path)!r}: its name cannot be printed: rename the trial list")
    return path


def base_list(name: str) -> str:
    """Return the list to which a list of the 1 + 99 protocol belongs; another belongs to itself.

    >>> base_list("one_plus_99"), base_list("hard_one_plus_99"), base_list("hard")
    ('trials', 'hard', 'hard')
    """
    return f"_{name}".removesuffix(ONE_PLUS_99_SUFFIX).removeprefix("_") or "trials"


def is_identification(name: str) -> bool:
    """Tell whether a list (`identification`, `ar_identification`) tests against all models."""
    return f"_{name}".endswith(IDENTIFICATION_SUFFIX)


def read_trials(path: Path) -> list[Trial]:
    """Read a trial list.

    Raises:
        ValueError: the file is missing or empty, or a line is not `enroll test target|nontarget`.
    """
    return [
        Trial(*row)
        for block in iterate_trials(path)
        for row in zip(
            block.enroll.tolist(), block.test.tolist(), block.is_target.tolist(), strict=True
        )
    ]


def write_trials(path: Path, trials: Iterable[Trial]) -> None:
    """Write a trial list."""
    with replacing_file(path) as file:
        for enroll, test, target in trials:
            file.write(f"{enroll} {test} {'target' if target else 'nontarget'}\n")
