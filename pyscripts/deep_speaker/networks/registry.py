"""The table of all networks; each has a file of its own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from deep_speaker.config import Experiment
from deep_speaker.config import networks as options
from deep_speaker.networks.ecapa_tdnn import ecapa_tdnn
from deep_speaker.networks.gru import gru
from deep_speaker.networks.rescnn import rescnn
from deep_speaker.networks.resnetse import resnetse
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.networks.tdnn import tdnn
from deep_speaker.networks.vggvox import vggvox40
from deep_speaker.networks.window_average import WindowAverageNetwork


def window_average(
    config: options.WindowAverage, num_bins: int, normalise_input: bool
) -> WindowAverageNetwork:
    """Build the window average of any other network."""
    base = NETWORKS[config.base.name](config.base, num_bins, normalise_input)
    return WindowAverageNetwork(base, config.window_frames, config.shift_frames)


# Each takes its options, the number of bins, and whether it normalises its input itself.
NETWORKS: dict[str, Callable[[Any, int, bool], EmbeddingNetwork]] = {
    "rescnn": rescnn,
    "gru": gru,
    "resnetse34": resnetse,
    "resnetse34l": resnetse,
    "vggvox40": vggvox40,
    "tdnn": tdnn,
    "ecapa_tdnn": ecapa_tdnn,
    "window_average": window_average,
}


def build_network(experiment: Experiment) -> EmbeddingNetwork:
    """Build the network that an experiment names, its weights drawn from the seed."""
    torch.manual_seed(experiment.seed)
    return NETWORKS[experiment.network.name](
        experiment.network, experiment.features.num_bins, experiment.normalisation.inside_network
    )


def count_parameters(network: nn.Module) -> int:
    """Count the parameters, those of every layer together."""
    return sum(parameter.numel() for parameter in network.parameters())
