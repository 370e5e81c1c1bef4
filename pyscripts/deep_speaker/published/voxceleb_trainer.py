"""The weights of voxceleb_trainer.

Its networks see maps as (batch, channels, bins, frames) and give their layers other names; the
arithmetic is the same. Its losses are not imported, and its front end is computed in stage 1: of
that, its files hold the window and the mel filters, which have to be the experiment's.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from deep_speaker.config import Experiment, TorchaudioSpectrogram
from deep_speaker.networks.torch_files import REMEDY, read_torch_file
from deep_speaker.published.source import Source
from deep_speaker.published.stored_front_end import check_front_end

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
# What no file of its holds. The scale of the samples is not among these: it changed over time.
TRAINED_WITH = {
    "features.front_end": "torchaudio",
    "features.frame_shift_ms": 10,
    "features.centred": True,
    "features.power": 2,
    "features.log": True,
    "normalisation.mean": "chunk",
    "normalisation.scale": "chunk",
}
# Thin ResNet-34 has no torchaudio, and its files hold no window and no filters.
TRAINED_ON_MAGNITUDES = TRAINED_WITH | {
    "features.sampling_rate": 16000,
    "features.frame_length_ms": 25,
    "features.fft_length": 512,
    "features.window": "hann",
    "features.centred": False,
    "features.power": 1,
    "features.num_mels": None,
    "features.log": False,
}
# Its front end, which stage 1 computes.
LEFT_OUT = ("torchfb.", "instancenorm.")


def read_weights(path: Path, experiment: Experiment) -> dict[str, Tensor]:
    """Return the weights of the speaker network in a file of voxceleb_trainer, by its names.

    Raises:
        ValueError: the file holds none, or they were trained with another front end than the
            experiment's.
    """
    content = read_torch_file(path)
    for key in ("model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ValueError(f"{path}: holds no state dict of voxceleb_trainer: {REMEDY}")
    state = {key.replace("module.", ""): value for key, value in content.items()}
    if any(key.startswith("__S__.") for key in state):  # the rest is the loss's
        state = {
            key.removeprefix("__S__."): value
            for key, value in state.items()
            if key.startswith("__S__.")
        }
    assert isinstance(experiment.features, TorchaudioSpectrogram)  # as TRAINED_WITH demands
    check_front_end(path, state, experiment.features)
    return {key: value for key, value in state.items() if not key.startswith(LEFT_OUT)}


def their_name(name: str) -> str:
    """Return the name that voxceleb_trainer gives a parameter or buffer of ours.

    >>> their_name("trunk.layer2.0.layers.conv1.weight")
    'layer2.0.conv1.weight'
    """
    for pattern, replacement in RENAMINGS:
        name = re.sub(pattern, replacement, name)
    return name


def swap_axes(name: str, weight: Tensor) -> Tensor:
    """Exchange bins and frames in a convolution's weights; leave others as they are."""
    return weight.transpose(2, 3).contiguous() if weight.dim() == 4 else weight


RESNETSE34L = Source("conf/resnetse34l.yaml", TRAINED_WITH, read_weights, their_name, swap_axes)
VGGVOX40 = replace(RESNETSE34L, config="conf/vggvox40.yaml")
RESNETSE34 = replace(RESNETSE34L, config="conf/resnetse34.yaml", trained_with=TRAINED_ON_MAGNITUDES)
