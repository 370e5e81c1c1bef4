"""ResCNN: its published size, any size of input, and what each part computes."""

import pytest
import torch
from torch import nn

from deep_speaker.config import Network
from deep_speaker.networks import build_network, count_parameters
from deep_speaker.networks.rescnn import ClippedReLU, ResidualBlock
from tiny_data import make_experiment

TINY = make_experiment().network


def make_network(num_mels: int = 16, seed: int = 0) -> nn.Module:
    return build_network(TINY, num_mels, seed)


def test_the_published_network_has_24_165_568_parameters() -> None:
    channels, blocks, dimension = (64, 128, 256, 512), 3, 512
    strided = 25 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512)  # 5x5, no bias
    residual = blocks * 2 * 9 * (64**2 + 128**2 + 256**2 + 512**2)  # 3x3, no bias
    batch_norm = 2 * (1 + 2 * blocks) * (64 + 128 + 256 + 512)  # weight and bias per channel
    affine = (64 // 16 * 512 + 1) * dimension
    assert strided + residual + batch_norm + affine == 24_165_568
    config = Network(channels=channels, blocks_per_stage=blocks, embedding_dim=dimension)
    assert config == Network()  # the paper's sizes are the defaults
    with torch.device("meta"):
        network = build_network(config, 64, seed=0)
    assert count_parameters(network) == 24_165_568


@pytest.mark.parametrize("num_mels", [1, 2, 5, 16, 40])
@pytest.mark.parametrize("num_frames", [1, 2, 7, 160])
def test_any_number_of_frames_and_mels_gives_an_embedding(num_frames: int, num_mels: int) -> None:
    network = make_network(num_mels).eval()
    embeddings = network(torch.randn(3, num_frames, num_mels))
    assert embeddings.shape == (3, TINY.embedding_dim)
    assert embeddings.dtype == torch.float32
    assert embeddings.isfinite().all()


def test_each_stage_halves_time_and_frequency_rounding_up() -> None:
    network = make_network(17)
    maps = network.stages(torch.randn(2, 1, 21, 17))  # type: ignore[operator]
    assert maps.shape == (2, TINY.channels[-1], 6, 5)  # 21 -> 11 -> 6 and 17 -> 9 -> 5
    assert network.affine.in_features == TINY.channels[-1] * 5  # type: ignore[union-attr]


def test_the_embedding_is_the_affine_of_the_mean_over_time() -> None:
    network = make_network().eval()
    fbanks = torch.randn(2, 30, 16)
    maps = network.stages(fbanks[:, None])  # type: ignore[operator]
    pooled = torch.stack([maps[i].mean(dim=1).reshape(-1) for i in range(2)])
    expected = pooled @ network.affine.weight.T + network.affine.bias  # type: ignore[union-attr, operator]
    torch.testing.assert_close(network(fbanks), expected)


def test_clipped_relu_by_hand() -> None:
    inputs = torch.tensor([-5.0, 0.0, 3.0, 20.0, 21.0, 1e9], requires_grad=True)
    outputs = ClippedReLU()(inputs)
    assert outputs.tolist() == [0, 0, 3, 20, 20, 20]
    outputs.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad[[0, 2, 4, 5]].tolist() == [0, 1, 0, 0]


def test_residual_block_adds_its_input_before_the_last_activation() -> None:
    block = ResidualBlock(2).eval()
    inputs = torch.randn(1, 2, 5, 5) * 15
    for parameter in block.layers.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(block(inputs), inputs.clamp(0, 20))  # the identity shortcut alone
    block = ResidualBlock(2).eval()
    assert torch.equal(block(inputs), (block.layers(inputs) + inputs).clamp(0, 20))


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch() -> None:
    network = make_network()
    for _ in range(5):
        network(torch.randn(8, 20, 16) * 2 + 1)  # batch statistics that matter
    network.eval()
    fbanks = torch.randn(6, 40, 16)
    together = network(fbanks)
    alone = torch.cat([network(fbanks[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    loud = torch.cat([fbanks[:1], 100 * fbanks[1:]])
    torch.testing.assert_close(network(loud)[0], together[0], rtol=1e-5, atol=1e-6)


def test_seeded_weights_repeat() -> None:
    first, again, other = (make_network(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["affine.weight"], other["affine.weight"])


def test_the_output_is_float32_inside_autocast() -> None:
    network = make_network().eval()
    fbanks = torch.randn(4, 40, 16)
    plain = network(fbanks)
    with torch.autocast("cpu", torch.bfloat16):
        cast = network(fbanks)
    assert cast.dtype == torch.float32
    assert (cast - plain).abs().max() < 0.05 * plain.abs().max()
    assert not torch.equal(cast, plain)  # it did compute in bfloat16
