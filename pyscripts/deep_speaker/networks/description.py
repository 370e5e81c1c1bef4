"""A network as a table of its layers."""

from typing import Any, NamedTuple

import torch
from tabulate import tabulate
from torch import Tensor, nn

from deep_speaker.networks.speaker_network import EmbeddingNetwork


class LayerSummary(NamedTuple):
    """A layer with the shape of its output (batch left out) and its parameters."""

    name: str
    kind: str
    shape: tuple[int, ...]
    num_parameters: int


def list_layers(network: EmbeddingNetwork, num_frames: int) -> list[LayerSummary]:
    """List the layers in the order in which an utterance of `num_frames` passes them.

    Those without parts, and those with parameters outside their parts.

    Raises:
        ValueError: the network takes more frames.
    """
    layers: list[LayerSummary] = []

    def record(name: str, module: nn.Module) -> None:
        count = sum(parameter.numel() for parameter in module.parameters(recurse=False))

        def hook(_: nn.Module, __: Any, outputs: Any) -> None:
            first = outputs if isinstance(outputs, Tensor) else outputs[0]
            layers.append(LayerSummary(name, type(module).__name__, tuple(first.shape[1:]), count))

        is_part = not list(module.children()) and not isinstance(module, nn.Sequential)
        if count or is_part:
            handles.append(module.register_forward_hook(hook))

    handles: list[Any] = []
    for name, module in network.named_modules():
        record(name, module)
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, num_frames, network.num_bins))
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return layers


def describe_layers(network: EmbeddingNetwork, num_frames: int) -> str:
    """Return a table of the layers, and the network's size and needs."""
    rows = [
        (layer.name, layer.kind, " x ".join(map(str, layer.shape)), f"{layer.num_parameters:,}")
        for layer in list_layers(network, num_frames)
    ]
    head = ("layer", "kind", "output", "parameters")
    aligned = ("left", "left", "left", "right")
    table = tabulate([head, *rows], tablefmt="plain", colalign=aligned, disable_numparse=True)
    trainable = sum(value.numel() for value in network.parameters() if value.requires_grad)
    return "\n".join(
        [
            table,
            f"parameters: {trainable}",
            f"embedding size: {network.embedding_dim}",
            f"fewest frames: {network.fewest_frames}",
        ]
    )
