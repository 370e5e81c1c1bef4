"""ResCNN's blocks and stages by hand."""

import torch
from torch import nn

from deep_speaker.networks.rescnn import ResidualBlock
from support.tiny_networks import BINS, make_network


def test_each_stage_of_rescnn_halves_time_and_frequency_rounding_up() -> None:
    network = make_network("rescnn", 17)
    features, _ = network.trunk(torch.randn(2, 1, 21, 17))
    assert features.shape == (2, 8 * 5, 6)  # 21 -> 11 -> 6 and 17 -> 9 -> 5


def test_the_embedding_is_the_affine_of_the_mean_over_time() -> None:
    network = make_network("rescnn").eval()
    fbanks = torch.randn(2, 30, BINS)
    maps, _ = network.trunk[:-1](fbanks[:, None])
    pooled = torch.stack([maps[i].mean(dim=1).reshape(-1) for i in range(2)])
    expected = pooled @ network.affine.weight.T + network.affine.bias
    torch.testing.assert_close(network(fbanks), expected)


def test_the_variant_of_keras_clips_before_the_sum_and_flattens_bins_first() -> None:
    block = ResidualBlock(2, keras=True).eval()
    inputs = torch.randn(1, 2, 5, 5) * 15
    inside = block.layers[:-1](inputs)[0]
    assert (inside < 0).any()
    expected = (inside.clamp(0, 20) + inputs).clamp(0, 20)
    torch.testing.assert_close(block(inputs)[0], expected)

    network = make_network("rescnn", variant="keras").eval()
    fbanks = torch.randn(2, 30, BINS)
    maps, _ = network.trunk[:-1](fbanks[:, None])
    pooled = maps.mean(dim=2).transpose(1, 2).flatten(1)  # bin, channel
    expected = pooled @ network.affine.weight.T + network.affine.bias
    torch.testing.assert_close(network(fbanks), expected)


def test_residual_block_adds_its_input_before_the_last_activation() -> None:
    block = ResidualBlock(2).eval()
    inputs = torch.randn(1, 2, 5, 5) * 15
    for parameter in block.layers.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(inputs)[0], inputs.clamp(0, 20))  # the identity shortcut alone
    block = ResidualBlock(2).eval()
    assert torch.equal(block(inputs)[0], (block.layers(inputs)[0] + inputs).clamp(0, 20))
