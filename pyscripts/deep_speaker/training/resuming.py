"""What an interrupted run has left: its last checkpoints, and whether it began as is asked now."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    trained_with,
)
from deep_speaker.system.files import read_utf8
from deep_speaker.training import ranks

LAST, BEFORE = "last.pt", "before_last.pt"  # a damaged last one falls back to the one before it
TEACHERS = "teachers"  # a file of a phase's folder, with the names of its teachers' folders
ANEW = "undo that, or start anew without --resume (run.sh --resume false)"


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
            if ranks.rank() == 0:
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
