"""Checkpoints: one file with weights and all else that a resumed run or an extraction needs."""

import copy
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from deep_speaker.config import Experiment
from deep_speaker.config.mistakes import explain
from deep_speaker.config.phases import PHASES
from deep_speaker.config.stages import Stage
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.networks.torch_files import read_torch_file
from deep_speaker.system.files import replacing_file


@dataclass
class Checkpoint:
    """The state at the end of an epoch, or within one.

    Attributes:
        experiment: the experiment file's content.
        speakers: the training speakers, in the order of the loss's classes.
        epochs: the number of epochs done.
        history: the figures of each epoch, for the log and the report.
        pace: that of its training, by the names of `Pace`; None: not known.
        position: within the epoch after these, by the names of `Position`; None: at its beginning.
        data: a hash of what it was trained and judged on; None: not known.
    """

    experiment: dict[str, Any]
    phase: str
    network: dict[str, torch.Tensor]
    loss: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    speakers: list[str]
    epochs: int
    history: list[dict[str, float]]
    pace: dict[str, Any] | None = None
    position: dict[str, Any] | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        """Check what may come from a file; a TypeError, as of other keys."""
        weights = [self.network, self.loss]
        kinds = [(self.experiment, dict), (self.optimiser, dict), (self.phase, str),
                 (self.epochs, int), *((each, dict) for each in weights),
                 *((each, list) for each in (self.speakers, self.history))]  # fmt: skip
        if not all(isinstance(value, kind) for value, kind in kinds):
            raise TypeError("values of other types")
        if not all(isinstance(value, torch.Tensor) for each in weights for value in each.values()):
            raise TypeError("weights that are no tensors")


# Those that every checkpoint has.
KEYS = {field.name for field in fields(Checkpoint) if field.default is MISSING}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; until it is complete, the file stays the previous one.

    Raises:
        OSError: it cannot be written, for example on a full disk.
    """
    with replacing_file(path, "wb") as file:
        try:
            torch.save(asdict(checkpoint), file)
        except RuntimeError as error:  # torch tells of its own file format what the system told it
            if isinstance(error.__context__, OSError):
                cause = error.__context__
                raise OSError(cause.errno, cause.strerror, str(path)) from error
            raise


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint into the CPU's memory.

    Raises:
        ValueError: the file is missing, no checkpoint of this project, or see `read_torch_file`.
    """
    if not path.is_file():
        phase = PHASES.get(path.parent.name)
        raise ValueError((phase.stage if phase else Stage.PRETRAINING).missing(path))
    content = read_torch_file(path)
    check_sums(path)
    try:
        return Checkpoint(**content)
    except TypeError as error:  # no dict, or one with other keys
        raise ValueError(
            f"{path}: not a checkpoint of this project: name another, or make it anew"
        ) from error


def check_sums(path: Path) -> None:
    """Refuse a checkpoint whose bytes have changed: it holds their sums, which torch ignores.

    Raises:
        ValueError: some do not agree.
    """
    damaged: str | None = "its form"
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"{path}: damaged ({damaged} has changed): name another, or make it anew")


def trained_with(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the experiment of a checkpoint, with the defaults of keys that it does not know yet.

    Raises:
        ValueError: it is no experiment of this version.
    """
    try:
        return Experiment.model_validate(checkpoint.experiment).model_dump(mode="json")
    except ValidationError as error:
        mistake = shorten(str(explain(error.errors()[0])), 200, placeholder=" ...")
        raise ValueError(
            f"the {checkpoint.phase} checkpoint was made by another version ({mistake}): make it "
            "anew, or use the version that made it"
        ) from error


def check_experiment(checkpoint: Checkpoint, experiment: Experiment) -> None:
    """Refuse a checkpoint whose network, or the network's input, is not the experiment's."""
    wanted, found = experiment.model_dump(mode="json"), trained_with(checkpoint)
    for section in ("features", "voice_activity", "normalisation", "network"):
        if found[section] != wanted[section]:
            raise ValueError(
                f"the config's {section} ({wanted[section]}) differs from that of the "
                f"{checkpoint.phase} checkpoint ({found[section]}): "
                f"{Stage.PRETRAINING.again}, or name the config it was trained with"
            )


def load_network(path: Path, experiment: Experiment) -> EmbeddingNetwork:
    """Return the network of a checkpoint, in evaluation mode.

    Raises:
        ValueError: see `load_checkpoint`; or it is of another experiment, or damaged.
    """
    checkpoint = load_checkpoint(path)
    check_experiment(checkpoint, experiment)
    network = build_network(experiment)
    try:
        network.load_state_dict(checkpoint.network)
    except (RuntimeError, TypeError) as error:
        problem = shorten(" ".join(str(error).split()), 200, placeholder=" ...")
        raise ValueError(
            f"{path}: not the weights of its own experiment, or damaged ({problem}): name another, "
            "or make it anew"
        ) from error
    return network.eval()


def copy_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a state dict that further training does not change."""
    return copy.deepcopy(module.state_dict())


def average_states(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of state dicts; whole numbers, which count batches, are the last one's."""
    average = dict(states[-1])
    for name, tensor in average.items():
        if tensor.is_floating_point():
            average[name] = torch.stack([state[name] for state in states]).mean(dim=0)
    return average
