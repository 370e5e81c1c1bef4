"""The model folders that this recipe publishes: models/<name>/, loaded without running code.

M/weights.safetensors  the weights by our names; its metadata: format_version, network, phase
M/config.yaml          the experiment that trained them, whole
M/README.md            the card, see `report.model_card`
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.folders import CONFIG
from deep_speaker.config.reading import format_experiment
from deep_speaker.networks.checkpoints import Checkpoint, trained_with
from deep_speaker.networks.torch_files import REMEDY
from deep_speaker.published.eight_bits import from_eight_bits, to_eight_bits
from deep_speaker.published.source import Source, some
from deep_speaker.system.files import replacing_file

WEIGHTS = "weights.safetensors"
CARD = "README.md"
FORMAT_VERSION = "1"
PRECISIONS = {"int8": torch.int8, "float16": torch.float16, "float32": torch.float32}
STEPS = ".steps"  # ends the name of what restores a weight of 8 bits
# The sections of an experiment that a network's embeddings depend on.
SECTIONS = ("features", "voice_activity", "normalisation", "network")


def folder_source(folder: Path) -> Source:
    """Return a model folder as a source, whose input is that of its own config."""
    config = folder / CONFIG
    experiment = read_experiment(config)
    content = experiment.model_dump(mode="json")
    trained_with = {
        f"{section}.{key}": value for section in SECTIONS for key, value in content[section].items()
    }
    return Source(
        config=str(config),
        trained_with=trained_with,
        read=read_weights,
        their_name=str,
        convert=to_float32,
        voice_activity=experiment.voice_activity,
    )


def to_float32(_: str, weight: Tensor) -> Tensor:
    """Return weights of any precision in float32, and counts as they are."""
    return weight.float() if weight.is_floating_point() else weight


def read_weights(folder: Path, experiment: Experiment) -> dict[str, Tensor]:
    """Return the weights in a model folder; those of 8 bits in float32.

    Raises:
        ValueError: there are none, the file is damaged, of another version or network, or holds
            weights that are not finite.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ValueError(f"{path}: no such file, and a model folder has one: {REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # a damaged file can raise nearly anything
        problem = " ".join(str(error).split())
        raise ValueError(f"{path}: not a safetensors file, or damaged ({problem}): {REMEDY}") from (
            error
        )
    version, network = metadata.get("format_version"), metadata.get("network")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format_version {version} of a model folder, known is {FORMAT_VERSION}: "
            "fetch it anew, or take the version of the recipe that wrote it"
        )
    if network != experiment.network.name:
        raise ValueError(
            f"{path}: weights of network {network}, beside a config of "
            f"{experiment.network.name}: fetch the folder anew"
        )
    try:
        weights = restore(weights)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: weights of 8 bits without their steps: {REMEDY}") from error
    check_finite(weights, str(path), REMEDY)
    return weights


def restore(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of which those of 8 bits are whole again."""
    return {
        name: from_eight_bits(weight, weights[name + STEPS])
        if weight.dtype == torch.int8
        else weight
        for name, weight in weights.items()
        if not name.endswith(STEPS)
    }


def check_finite(weights: dict[str, Tensor], where: str, remedy: str) -> None:
    """Refuse weights with infinite values or NaN."""
    wrong = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if wrong:
        raise ValueError(f"{where}: weights that are not finite: {some(wrong)}: {remedy}")


def write_model_folder(folder: Path, checkpoint: Checkpoint, precision: str) -> None:
    """Write the weights and config of a checkpoint into a model folder.

    Args:
        precision: of `PRECISIONS`, for matrices and kernels. Vectors (biases, batch norm) take
            little room and stay float32.

    Raises:
        ValueError: weights are not finite in this precision.
    """
    experiment = Experiment.model_validate(trained_with(checkpoint))
    weights = dict(checkpoint.network)
    for name, weight in checkpoint.network.items():
        if is_matrix(weight) and precision == "int8":
            weights[name], weights[name + STEPS] = to_eight_bits(weight)
        elif is_matrix(weight):
            weights[name] = weight.to(PRECISIONS[precision])
    check_finite(weights, f"{folder} in {precision}", "take --precision float32, or other weights")
    metadata = {
        "format_version": FORMAT_VERSION,
        "network": experiment.network.name,
        "phase": checkpoint.phase,
    }
    content = save_alike({name: weight.contiguous() for name, weight in weights.items()}, metadata)
    with replacing_file(folder / CONFIG) as file:
        file.write(format_experiment(experiment, f"the experiment of the weights in {WEIGHTS}"))
    with replacing_file(folder / WEIGHTS, "wb") as file:
        file.write(content)


def save_alike(weights: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file that is the same each time: `save` shuffles the metadata."""
    content = save(weights, metadata)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + text.ljust(size) + content[8 + size :]


def is_matrix(weight: Tensor) -> bool:
    """Tell whether a tensor is a matrix or kernel of real numbers."""
    return weight.is_floating_point() and weight.dim() > 1
