"""Speaker networks: one file each, and the one table that names them."""

from collections.abc import Callable

import torch
from torch import nn

from deep_speaker.config import Network
from deep_speaker.networks.rescnn import ResCNN

NETWORKS: dict[str, Callable[[Network, int], nn.Module]] = {
    "rescnn": ResCNN,
}


def build_network(config: Network, num_mels: int, seed: int) -> nn.Module:
    """The network that a config names, with random weights drawn from `seed`."""
    torch.manual_seed(seed)
    return NETWORKS[config.name](config, num_mels)


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
