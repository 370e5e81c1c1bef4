"""Checkpoints: one file with the weights and all that a resumed run or an extraction needs."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deep_speaker.config import Experiment
from deep_speaker.config.phases import PHASES
from deep_speaker.config.stages import Stage
from deep_speaker.networks.registry import EmbeddingNetwork, build_network
from deep_speaker.system.files import replacing_file


@dataclass
class Checkpoint:
    """The state at the end of an epoch.

    Attributes:
        experiment: the experiment file's content.
        speakers: the training speakers, in the order of the loss's classes.
        epochs: how many are done.
        history: the figures of each epoch, for the log and the report.
    """

    experiment: dict[str, Any]
    phase: str
    network: dict[str, torch.Tensor]
    loss: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    speakers: list[str]
    epochs: int
    history: list[dict[str, float]]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole: the file is the previous one until the new one is complete."""
    with replacing_file(path, "wb") as file:
        torch.save(asdict(checkpoint), file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint to the CPU's memory.

    Raises:
        ValueError: it is missing, damaged, or not one of this project's.
    """
    if not path.is_file():
        phase = PHASES.get(path.parent.name)
        raise ValueError((phase.stage if phase else Stage.PRETRAINING).missing(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(**content)
    except Exception as error:  # a damaged file can raise nearly anything
        kind = type(error).__name__
        raise ValueError(
            f"{path}: not a checkpoint of this project, or damaged ({kind})"
        ) from error


def check_experiment(checkpoint: Checkpoint, experiment: Experiment) -> None:
    """Refuse a checkpoint whose network or its input are not the experiment's."""
    wanted = experiment.model_dump(mode="json")
    for section in ("features", "voice_activity", "normalisation", "network"):
        if checkpoint.experiment[section] != wanted[section]:
            raise ValueError(
                f"the config's {section} ({wanted[section]}) is not that of the {checkpoint.phase} "
                f"checkpoint ({checkpoint.experiment[section]}): {Stage.PRETRAINING.again}, or "
                "name the config it was trained with"
            )


def load_network(path: Path, experiment: Experiment) -> EmbeddingNetwork:
    """The network of a checkpoint, in evaluation mode."""
    checkpoint = load_checkpoint(path)
    check_experiment(checkpoint, experiment)
    network = build_network(experiment)
    network.load_state_dict(checkpoint.network)
    return network.eval()


def copy_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """A state dict that further training does not change."""
    return copy.deepcopy(module.state_dict())


def average_states(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of state dicts, batch normalisation's statistics included; the last one's counts."""
    average = dict(states[-1])
    for name, tensor in average.items():
        if tensor.is_floating_point():
            average[name] = torch.stack([state[name] for state in states]).mean(dim=0)
    return average
