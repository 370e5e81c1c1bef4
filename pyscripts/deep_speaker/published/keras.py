"""The weights of Philippe Rémy's Deep Speaker (github.com/philipperemy/deep-speaker), by Keras.

A layer of an HDF5 file is a group of its name with its tensors, `conv64-s/conv64-s/kernel:0`: the
strided convolution of a stage by its channels, those of a residual block by stage, block and turn
(`res1_0_branch_2a`, `res1_0_branch_2b`), normalisation with `_bn` behind, and `affine`.
"""

import logging
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from deep_speaker.config import Experiment, Trimming
from deep_speaker.config.networks import ResCNN
from deep_speaker.networks.torch_files import REMEDY
from deep_speaker.published.source import Source, some

LAYER = re.compile(r"conv\d+-s(_bn)?|res\d+_\d+_branch_2[ab](_bn)?|affine")
CONFIG = "conf/deep_speaker_published.yaml"
TRAINED_WITH = {
    "features.front_end": "python_speech_features",
    "features.sampling_rate": 16000,
    "features.frame_length_ms": 25,
    "features.frame_shift_ms": 10,
    "features.fft_length": 512,
    "features.num_mels": 64,
    "normalisation.mean": "none",
    "normalisation.scale": 1,
}
PARAMETERS = {"weight": "kernel", "bias": "bias"}
NORM_PARAMETERS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def keras_source(network: ResCNN) -> Source:
    """Return where weights of this network come from.

    Raises:
        ValueError: it is not the network that was published.
    """
    if network.variant != "keras":
        raise ValueError(
            f"network rescnn of variant {network.variant} has no published weights: set "
            f"network.variant to keras, as {CONFIG} does"
        )
    if len(set(network.channels)) < len(network.channels):
        raise ValueError(
            f"network.channels {list(network.channels)}: Keras names layers by their channels, so "
            "published weights need different ones"
        )
    name = partial(their_name, network=network)
    trimming = Trimming(detector="trimming")
    return Source(CONFIG, TRAINED_WITH, read_weights, name, convert, trimming)


def read_weights(path: Path, experiment: Experiment) -> dict[str, Tensor]:
    """Return the weights of ResCNN in an HDF5 file of Keras, as `<layer>/<parameter>`.

    Layers that belong to training, such as a softmax, are left out.

    Raises:
        ValueError: there is no such file, it is damaged, or holds no such layer.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file: {REMEDY}")
    try:
        with h5py.File(path, "r") as file:
            weights = dict(_iterate_weights(file))
    except Exception as error:  # a damaged file can raise nearly anything
        kind = type(error).__name__
        raise ValueError(
            f"{path}: not an HDF5 file of Keras, or damaged ({kind}): {REMEDY}"
        ) from error
    found = {key: value for key, value in weights.items() if LAYER.fullmatch(key.split("/")[0])}
    left_out = sorted({key.split("/")[0] for key in weights.keys() - found.keys()})
    if not found:
        layers = some(left_out) or "none"
        raise ValueError(
            f"{path}: holds no layer of Deep Speaker's ResCNN by Keras, but {layers}: name another "
            "file, or the config it was published with"
        )
    if left_out:
        logging.info("%s: left out layers of training: %s", path, some(left_out))
    return found


def _iterate_weights(file: h5py.File) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a file of `save` or `save_weights` with their layer and parameter."""
    names: list[str] = []
    root = file.get("model_weights", file)
    root.visit(names.append)
    for name in names:
        if isinstance(root[name], h5py.Dataset) and not name.startswith("optimizer_weights/"):
            *groups, parameter = name.split("/")
            layer = next(filter(LAYER.fullmatch, groups), groups[0] if groups else name)
            values = np.asarray(root[name], dtype=np.float32)
            yield f"{layer}/{parameter.split(':')[0]}", torch.from_numpy(values)


def their_name(name: str, network: ResCNN) -> str:
    """Return the name that Keras gives a parameter or buffer of ours.

    >>> network = ResCNN(name="rescnn", variant="keras")
    >>> their_name("trunk.5.0.weight", network)
    'conv128-s/kernel'
    >>> their_name("trunk.8.layers.2.1.running_var", network)
    'res2_1_branch_2b_bn/moving_variance'
    """
    module, *inside, parameter = name.split(".")
    if module == "affine":
        return f"affine/{PARAMETERS[parameter]}"
    index, *inside = inside
    stage, place = divmod(int(index), network.blocks_per_stage + 2)
    layer = f"conv{network.channels[stage]}-s"  # and the activation of a stage: 2 layers
    if place >= 2:
        branch = {"0": "2a", "2": "2b"}[inside[1]]
        layer = f"res{stage + 1}_{place - 2}_branch_{branch}"
    if inside[-1] == "0":
        return f"{layer}/{PARAMETERS[parameter]}"
    return f"{layer}_bn/{NORM_PARAMETERS.get(parameter, parameter)}"


def convert(name: str, weight: Tensor) -> Tensor:
    """Put outputs before inputs: (frames, bins, inputs, outputs), or (inputs, outputs)."""
    if weight.dim() == 4:
        return weight.permute(3, 2, 0, 1).contiguous()
    return weight.t().contiguous() if weight.dim() == 2 else weight
