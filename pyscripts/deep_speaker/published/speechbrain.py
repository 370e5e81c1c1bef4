"""The weights of SpeechBrain's ECAPA-TDNN: embedding_model.ckpt of spkrec-ecapa-voxceleb.

Its layers on frames are one-dimensional convolutions, and have other names; the arithmetic is the
same.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from deep_speaker.config import Experiment
from deep_speaker.networks.torch_files import read_torch_file
from deep_speaker.published.source import Source

TRAINED_WITH = {
    "features.front_end": "speechbrain",
    "features.sampling_rate": 16000,
    "features.frame_length_ms": 25,
    "features.frame_shift_ms": 10,
    "features.num_mels": 80,
    "normalisation.mean": "utterance",
    "normalisation.scale": 1,
}

# From our names to SpeechBrain's, one pattern after the other.
RENAMINGS = (
    (r"^affine\.", "fc.conv."),
    (r"^pooling\.norm\.", "asp_bn.norm."),
    (r"^pooling\.hidden\.", "asp.tdnn.conv.conv."),
    (r"^pooling\.hidden_norm\.", "asp.tdnn.norm.norm."),
    (r"^pooling\.scores\.", "asp.conv.conv."),
    (r"^(trunk\..*)\.affine\.", r"\1.conv.conv."),
    (r"^(trunk\..*)\.norm\.", r"\1.norm.norm."),
    (r"\.layers\.before\.", ".tdnn1."),
    (r"\.layers\.after\.", ".tdnn2."),
    (r"\.layers\.res2net\.groups\.", ".res2net_block.blocks."),
    (r"\.layers\.se\.fc\.0\.", ".se_block.conv1.conv."),
    (r"\.layers\.se\.fc\.2\.", ".se_block.conv2.conv."),
    (r"^trunk\.output\.", "mfa."),
    (r"^trunk\.input\.", "blocks.0."),
)


def read_weights(path: Path, experiment: Experiment) -> dict[str, Tensor]:
    """Return the weights in a file of SpeechBrain's, by its names.

    Raises:
        ValueError: there is no such file, or it holds no weights.
    """
    content = read_torch_file(path)
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ValueError(f"{path}: holds no state dict of SpeechBrain: name embedding_model.ckpt")
    return dict(content)


def their_name(name: str) -> str:
    """Return the name that SpeechBrain gives a parameter or buffer of ours.

    >>> their_name("trunk.blocks.2.layers.before.affine.weight")
    'blocks.3.tdnn1.conv.conv.weight'
    """
    for pattern, replacement in RENAMINGS:
        name = re.sub(pattern, replacement, name)
    # Theirs counts the layer before the blocks as one of them.
    return re.sub(r"^trunk\.blocks\.(\d+)", lambda found: f"blocks.{int(found[1]) + 1}", name)


def convert(name: str, weight: Tensor) -> Tensor:
    """Return a convolution's weights (outputs, inputs, kernel) in our axes; others as they are."""
    if weight.dim() != 3:
        return weight
    # Ours are over frames and bins in the trunk, and affine layers elsewhere.
    on_frames = name.startswith("trunk.") and ".se." not in name
    return weight.unsqueeze(3) if on_frames else weight.squeeze(2)


SPEECHBRAIN = Source("conf/ecapa_tdnn.yaml", TRAINED_WITH, read_weights, their_name, convert)
