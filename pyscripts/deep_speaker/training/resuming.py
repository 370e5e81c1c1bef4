"""What an interrupted run has left: its last checkpoints, and whether it began as is asked now."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from deep_speaker.config import Experiment
from deep_speaker.features.source import FeatureSource
from deep_speaker.networks.checkpoints import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    trained_with,
)
from deep_speaker.system.files import read_utf8, settle_directory

LAST, BEFORE = "last.pt", "before_last.pt"  # a damaged last one falls back to the one before it
TEACHERS = "teachers"  # a file of a phase's folder, with the names of its teachers' folders
ANEW = "undo that, or start anew without --resume (run.sh --resume false)"


class Beginning(NamedTuple):
    """What a phase goes on from: other weights, its own last checkpoint, or its end."""

    start: Checkpoint | None = None
    last: Checkpoint | None = None
    is_finished: bool = False


def find_beginning(
    experiment: Experiment,
    data_dir: Path,
    output: Path,
    partial: Path,
    initial: Path | None,
    resume: bool,
    teachers: Sequence[Path],
) -> Beginning:
    """Find what a phase goes on from, for all ranks.

    Raises:
        ValueError: it began otherwise than is asked now.
    """
    settle_directory(output)
    start = load_checkpoint(initial) if initial else None
    if resume and output.is_dir() and not partial.is_dir():
        data = FeatureSource(data_dir, experiment).digest()
        if is_current(output, experiment, start, teachers, data):
            return Beginning(is_finished=True)
    if not resume or not has_checkpoint(partial):
        return Beginning(start)
    last = load_last(partial)
    refuse(partial, tell_difference(partial, last, experiment, start, teachers))
    return Beginning(start, last)


def is_current(
    output: Path,
    experiment: Experiment,
    start: Checkpoint | None,
    teachers: Sequence[Path],
    data: str,
) -> bool:
    """Tell whether a finished run began as is asked now, and say so, or what has changed."""
    last = load_last(output)
    difference = tell_difference(output, last, experiment, start, teachers)
    difference = difference or tell_other_data(last, data)
    if difference:
        logging.info("%s is finished, but was begun %s: training anew", output, difference)
    else:
        logging.info("%s is finished; nothing to resume", output)
    return difference is None


def refuse(folder: Path, difference: str | None) -> None:
    """Refuse to go on with a run that began otherwise than is asked now, if it did."""
    if difference:
        raise ValueError(f"{folder} was begun {difference}: {ANEW}")


def save_last(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the last checkpoint of a run, and keep the one that was it; there always is a whole."""
    last, new = folder / LAST, folder / "new.pt"
    save_checkpoint(new, checkpoint)
    if last.exists():
        last.replace(folder / BEFORE)
    new.replace(last)


def has_checkpoint(folder: Path) -> bool:
    """Tell whether a run in a folder has come as far as to a checkpoint."""
    return any((folder / name).is_file() for name in (LAST, BEFORE))


def load_last(folder: Path) -> Checkpoint:
    """Read the last checkpoint of a run, or the one before it where it is damaged or gone.

    Raises:
        ValueError: none of the two is whole.
    """
    found = [folder / name for name in (LAST, BEFORE) if (folder / name).is_file()]
    for path in found:
        try:
            return load_checkpoint(path)
        except ValueError as error:
            logging.warning("%s", error)
    raise ValueError(f"{folder}: no whole checkpoint to go on from: {ANEW}")


def tell_difference(
    folder: Path,
    last: Checkpoint,
    experiment: Experiment,
    start: Checkpoint | None,
    teachers: Sequence[Path],
) -> str | None:
    """Say what else a run began with, by its last checkpoint; None: with the same.

    Raises:
        ValueError: it is of another version.
    """
    asked = experiment.model_dump(mode="json")
    if trained_with(last) | {"scoring": None} != asked | {"scoring": None}:
        return "with another config"
    if start is not None:
        begun = load_checkpoint(folder / "initial.pt").network
        if begun.keys() != start.network.keys() or not all(
            torch.equal(begun[name], tensor) for name, tensor in start.network.items()
        ):
            return "from other weights"
    if teachers and read_utf8(folder / TEACHERS) != list_teachers(teachers):
        return "by other teachers"
    return None


def tell_other_data(last: Checkpoint, data: str) -> str | None:
    """Say so where a run began on other data, by its hash; None: on the same, or not known."""
    return None if last.data in (None, data) else "on other utterances, speakers or features"


def list_teachers(teachers: Sequence[Path]) -> str:
    """Return the names of teachers' folders, which tell all that decides their embeddings."""
    return "".join(f"{folder.name}\n" for folder in teachers)
