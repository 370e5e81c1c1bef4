"""Normalisation of the input, pooling and the affine layer around a trunk."""

import pytest
import torch
from torch import nn

from deep_speaker.networks.devices import to_device
from deep_speaker.networks.speaker_network import InstanceNorm
from support.tiny_networks import BINS, make_network, with_batch_norm


def test_normalisation_of_the_input_is_torchs_instance_norm() -> None:
    fbanks = torch.randn(3, 30, BINS) * 5 + 2
    expected = nn.InstanceNorm1d(BINS)(fbanks.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(InstanceNorm()(fbanks), expected)
    network = make_network("rescnn", normalise=True).eval()
    plain = make_network("rescnn").eval()
    torch.testing.assert_close(network(fbanks), plain(expected), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(network(3 * fbanks - 7), network(fbanks), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["average", "attentive_statistics"])
def test_pooling_and_the_affine_layer_are_in_float32_inside_autocast(pooling: str) -> None:
    network = with_batch_norm(make_network("resnetse34l", pooling=pooling))
    fbanks = torch.randn(4, 80, BINS)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        cast = network(fbanks)
        features, _ = network.trunk(fbanks.unsqueeze(3).permute(0, 3, 1, 2))
    torch.testing.assert_close(cast, network.affine(network.pooling(features.float())))


@pytest.mark.parametrize("name", ["rescnn", "resnetse34", "resnetse34l", "vggvox40"])
def test_all_maps_have_channels_last_in_memory(name: str) -> None:
    """In which convolutions are fastest; from the first layer on."""
    network = to_device(make_network(name), torch.device("cpu"))
    seen: list[bool] = []

    def note(tensor: torch.Tensor) -> None:
        seen.append(tensor.is_contiguous(memory_format=torch.channels_last))

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, output: note(output[0]))
    network(torch.randn(2, 80, BINS))
    assert len(seen) == sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert all(seen)
