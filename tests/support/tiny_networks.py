"""Tiny networks of every kind."""

from typing import Any

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
    "window_average": {"window_frames": 20, "shift_frames": 9, "base": RESCNN},
}


BINS = 17  # the fewest of which VGG leaves one after its pooling is 15


def make_network(
    name: str, bins: int = BINS, normalise: bool = False, seed: int = 0, **options: Any
) -> Any:
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
