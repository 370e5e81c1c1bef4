"""Model folders of tiny networks of random weights."""

from pathlib import Path
from typing import Any

from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import Checkpoint, copy_state
from deep_speaker.networks.registry import build_network
from deep_speaker.published.model_folder import write_model_folder
from support.tiny_data import make_experiment
from support.tiny_networks import with_batch_norm


def make_trained(experiment: Experiment | None = None, phase: str = "finetuning") -> Checkpoint:
    """A checkpoint whose batch normalisation is far from the identity."""
    experiment = experiment or make_experiment()
    return Checkpoint(
        experiment=experiment.model_dump(mode="json"),
        phase=phase,
        network=copy_state(with_batch_norm(build_network(experiment))),
        loss={},
        optimiser={},
        speakers=["anna", "bo"],
        epochs=3,
        history=[],
    )


def make_model(folder: Path, precision: str = "float16", **sections: Any) -> Path:
    """Write a model folder of the tiny experiment, with keys of its sections replaced."""
    write_model_folder(folder, make_trained(make_experiment(**sections)), precision)
    return folder
