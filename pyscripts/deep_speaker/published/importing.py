"""The import of published weights."""

from pathlib import Path

from deep_speaker.config import Experiment
from deep_speaker.config.networks import ResCNN
from deep_speaker.networks.checkpoints import Checkpoint
from deep_speaker.networks.registry import build_network
from deep_speaker.published.keras import keras_source
from deep_speaker.published.model_folder import folder_source
from deep_speaker.published.own_checkpoint import checkpoint_source, is_checkpoint
from deep_speaker.published.source import Source, check_input, tell_other_frames, translate
from deep_speaker.published.speechbrain import SPEECHBRAIN
from deep_speaker.published.voxceleb_trainer import RESNETSE34, RESNETSE34L, VGGVOX40

# By the network's name, who published weights for it; for rescnn, see `keras_source`.
SOURCES = {
    "resnetse34": RESNETSE34,
    "resnetse34l": RESNETSE34L,
    "vggvox40": VGGVOX40,
    "ecapa_tdnn": SPEECHBRAIN,
}


def import_weights(path: Path, experiment: Experiment) -> Checkpoint:
    """Read published weights as a checkpoint of the experiment's network.

    Args:
        path: a model folder or checkpoint of this recipe, or a file of another project.

    Raises:
        ValueError: there are no such weights, or not exactly those of that network; or the
            experiment gives it other input than they were trained with.
    """
    source = find_source(path, experiment)
    check_input(source, path, experiment)
    tell_other_frames(source, path, experiment)
    network = build_network(experiment)
    weights = source.read(path, experiment)
    where = f"{path}: {experiment.network.name}"
    network.load_state_dict(translate(source, weights, network.state_dict(), where))
    return Checkpoint(
        experiment=experiment.model_dump(mode="json"),
        phase="initial_model",
        network=network.state_dict(),
        loss={},
        optimiser={},
        speakers=[],
        epochs=0,
        history=[],
    )


def find_source(path: Path, experiment: Experiment) -> Source:
    """Return who published the weights: for the experiment's network, unless by this recipe."""
    if path.is_dir():
        return folder_source(path)
    if is_checkpoint(path):
        return checkpoint_source(path)
    network = experiment.network
    if isinstance(network, ResCNN):
        return keras_source(network)
    if network.name not in SOURCES:
        names = ", ".join(["rescnn", *SOURCES])
        raise ValueError(
            f"network {network.name} has no published weights: name a config of {names}"
        )
    return SOURCES[network.name]
