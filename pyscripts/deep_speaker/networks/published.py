"""Published weights: files of voxceleb_trainer as checkpoints of this project.

Its networks see maps as (batch, channels, bins, frames) and give their layers other names; the
arithmetic is the same. Its front end and losses are not imported: the experiment file names them.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import Checkpoint
from deep_speaker.networks.registry import build_network

PUBLISHED = ("resnetse34", "resnetse34l", "vggvox40")
# From our names to voxceleb_trainer's, one pattern after the other.
RENAMINGS = (
    (r"^trunk\.(\d+)\.", r"netcnn.\1."),
    (r"^trunk\.", ""),
    (r"\.layers\.", "."),
    (r"\.shortcut\.", ".downsample."),
    (r"^pooling\.linear\.", "sap_linear."),
    (r"^pooling\.attention$", "attention"),
    (r"^affine\.", "fc."),
)
# Its front end, which stage 1 computes.
LEFT_OUT = ("torchfb.", "instancenorm.")


def import_weights(path: Path, experiment: Experiment) -> Checkpoint:
    """Read weights of voxceleb_trainer as a checkpoint of the experiment's network.

    Raises:
        ValueError: the file holds no such weights, or not exactly those of that network.
    """
    name = experiment.network.name
    if name not in PUBLISHED:
        raise ValueError(
            f"network {name} has no published weights: name a config of {', '.join(PUBLISHED)}"
        )
    network = build_network(experiment)
    network.load_state_dict(translate(read_weights(path), network.state_dict(), f"{path}: {name}"))
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


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of the speaker network in a file of voxceleb_trainer, by its names."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise nearly anything
        kind = type(error).__name__
        raise ValueError(f"{path}: not a file of torch.save, or damaged ({kind})") from error
    for key in ("model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ValueError(f"{path}: holds no state dict of voxceleb_trainer")
    state = {key.replace("module.", ""): value for key, value in content.items()}
    if any(key.startswith("__S__.") for key in state):  # the rest is the loss's
        state = {
            key.removeprefix("__S__."): value
            for key, value in state.items()
            if key.startswith("__S__.")
        }
    return {key: value for key, value in state.items() if not key.startswith(LEFT_OUT)}


def published_name(name: str) -> str:
    """Return the name that voxceleb_trainer gives a parameter or buffer of ours.

    >>> published_name("trunk.layer2.0.layers.conv1.weight")
    'layer2.0.conv1.weight'
    """
    for pattern, replacement in RENAMINGS:
        name = re.sub(pattern, replacement, name)
    return name


def translate(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """Return their weights by our names.

    Args:
        ours: names and shapes; also the counts of batches, which theirs may lack.
    """
    names = {published_name(name): name for name in ours}
    missing = [
        name for name in names if name not in theirs and not name.endswith("num_batches_tracked")
    ]
    found = {
        ours_name: swap_axes(theirs[name]) for name, ours_name in names.items() if name in theirs
    }
    wrong = [
        f"{name} {tuple(theirs[name].shape)} instead of {tuple(swap_axes(ours[names[name]]).shape)}"
        for name in names
        if name in theirs and found[names[name]].shape != ours[names[name]].shape
    ]
    problems = {
        "missing": missing,
        "unexpected": [name for name in theirs if name not in names],
        "of another shape": wrong,
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {some(found)}" for kind, found in problems.items() if found)
        raise ValueError(f"{where} of the config is not the network of this file: {listed}")
    return {**ours, **found}


def swap_axes(weight: Tensor) -> Tensor:
    """Exchange frames and bins in a convolution's weights; leave others as they are."""
    return weight.transpose(2, 3).contiguous() if weight.dim() == 4 else weight


def some(items: list[str], most: int = 5) -> str:
    """Name the first few of a list, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
