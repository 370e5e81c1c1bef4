"""Tiny networks of every kind."""

from typing import Any

import torch
from torch import nn

from deep_speaker.config import Experiment
from deep_speaker.networks.registry import build_network

RESCNN = {"name": "rescnn", "channels": [4, 8], "blocks_per_stage": 1, "embedding_dim": 8}
RESNET = {"channels": [24, 24, 32, 32], "blocks": [1, 2, 1, 1], "embedding_dim": 8}
TINY: dict[str, dict[str, Any]] = {
    "rescnn": RESCNN,
    "gru": {"channels": 4, "layers": 2, "hidden_dim": 12, "embedding_dim": 8},
    "resnetse34": RESNET,
    "resnetse34l": RESNET,
    "vggvox40": {"embedding_dim": 8},
    "tdnn": {"channels": 8, "pooled_channels": 12, "embedding_dim": 8},
    "ecapa_tdnn": {"channels": 16, "pooled_channels": 12, "embedding_dim": 8},
    "window_average": {"window_frames": 20, "shift_frames": 9, "base": RESCNN},
}
BINS = 17  # the fewest of which VGG leaves one after its pooling is 15


def make_network(
    name: str, bins: int = BINS, normalise: bool = False, seed: int = 0, **options: Any
) -> Any:
    """Build a tiny network; `options` are further ones of its kind."""
    network = TINY[name] | {"name": name}
    if name == "window_average":
        network["base"] = network["base"] | options
    else:
        network |= options
    mode = "chunk" if normalise else "none"
    experiment = Experiment.model_validate(
        {
            "seed": seed,
            "features": {"num_mels": bins},
            "normalisation": {"mean": mode, "scale": mode if normalise else 1},
            "network": network,
            "pretraining": {"loss": {"name": "softmax"}},
        }
    )
    return build_network(experiment)


def with_batch_norm(network: Any) -> Any:
    """Set batch normalisation far from the identity that it starts as, in evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-1, 1, generator=generator)
            module.running_var.uniform_(0.2, 2, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.5, 2, generator=generator)
                module.bias.data.uniform_(-1, 1, generator=generator)
    return network.eval()
