"""What training left in history.json, epoch by epoch."""

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from deep_speaker.files import read_utf8

# The figures that are drawn, where there are any, with their titles.
CURVES = {
    "loss": "training loss",
    "held_out_eer_percent": "EER of held-out speakers, %",
    "hard_share": "share of hard negatives",
    "learning_rate": "learning rate",
}


class TrainingCurve(NamedTuple):
    """The epochs of a phase.

    Attributes:
        first: its first epoch, from 1, counted from where the weights were random.
        figures: values per epoch, None where an epoch has none, by the names of `CURVES`.
        best: the epoch, from 0, of the lowest held-out EER; of equals the last.
    """

    phase: str
    first: int
    figures: dict[str, list[float | None]]
    best: int


def read_training_curves(experiment_dir: Path, phases: Sequence[str]) -> list[TrainingCurve]:
    """The curves of the phases that have been trained; phases after the first start at its end.

    Broken histories are logged and left out.
    """
    curves: list[TrainingCurve] = []
    for phase in phases:
        if history := _read_if_good(experiment_dir / phase / "history.json"):
            begin = 1 if not curves else 1 + len(curves[0].figures["loss"])
            figures = {name: [number(epoch.get(name)) for epoch in history] for name in CURVES}
            errors = [math.inf if e is None else e for e in figures["held_out_eer_percent"]]
            best = max(i for i, error in enumerate(errors) if error == min(errors))
            curves.append(TrainingCurve(phase, begin, figures, best))
    return curves


def _read_if_good(path: Path) -> list[dict[str, float]]:
    try:
        return read_history(path) if path.is_file() else []
    except ValueError as error:
        logging.warning("%s; the report goes without these curves", error)
        return []


def number(value: object) -> float | None:
    """A finite number; None in place of anything else, such as a loss that is not one any more."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def read_history(path: Path) -> list[dict[str, float]]:
    """The figures of each epoch.

    Raises:
        ValueError: the file does not hold a list of them.
    """
    try:
        history = json.loads(read_utf8(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}): remove it, or train anew") from error
    if not isinstance(history, list) or not all(isinstance(epoch, dict) for epoch in history):
        raise ValueError(f"{path}: expected a list of epochs: remove it, or train anew")
    return history
