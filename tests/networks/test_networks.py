"""Every network: its published size, any input it takes, padding that has no influence."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deep_speaker.config import Experiment
from deep_speaker.embeddings.inference import fold_batch_norm
from deep_speaker.networks.devices import to_device
from deep_speaker.networks.layers import ClippedReLU, TimeConv2d, TimeMaxPool2d
from deep_speaker.networks.registry import NETWORKS, build_network, count_parameters
from deep_speaker.networks.rescnn import ResidualBlock
from deep_speaker.networks.resnetse import SqueezeExcitation
from deep_speaker.networks.speaker_network import InstanceNorm
from deep_speaker.networks.tdnn import TimeDelay
from deep_speaker.networks.window_average import WindowAverage
from support.tiny_networks import BINS, make_network


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small layers gain nothing from more threads, and wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def with_statistics(network: Any) -> Any:
    """Batch normalisation far from the identity that it starts as; evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-1, 1, generator=generator)
            module.running_var.uniform_(0.2, 2, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.5, 2, generator=generator)
                module.bias.data.uniform_(-1, 1, generator=generator)
    return network.eval()


def assert_padding_has_no_influence(network: Any, bins: int = BINS) -> None:
    fewest = network.fewest_frames
    lengths = torch.tensor([fewest + 41, fewest, fewest + 1, fewest + 12, fewest + 27])
    fbanks = torch.randn(len(lengths), fewest + 41, bins) * 2 + 1
    fbanks *= torch.arange(fewest + 41)[None, :, None] < lengths[:, None, None]
    with torch.inference_mode():
        together = network(fbanks, lengths)
        for i, length in enumerate(lengths):
            alone = network(fbanks[i : i + 1, :length])[0]
            torch.testing.assert_close(together[i], alone, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(network(fbanks[:1], lengths[:1]), network(fbanks[:1]))


# Sizes


@pytest.mark.parametrize(
    ("name", "bins", "parameters"),
    [
        ("rescnn", 64, 24_165_568),
        ("gru", 64, 22_564_928),
        ("resnetse34", 257, 1_437_078),
        ("resnetse34l", 40, 1_437_078),
        ("vggvox40", 40, 4_032_448),
        ("tdnn", 30, 4_219_868),
    ],
)
def test_published_sizes_are_the_defaults(name: str, bins: int, parameters: int) -> None:
    experiment = Experiment.model_validate(
        {
            "features": {"num_mels": bins},
            "network": {"name": name},
            "pretraining": {"loss": {"name": "softmax"}},
        }
    )
    with torch.device("meta"):
        network = build_network(experiment)
    assert count_parameters(network) == parameters
    assert network.embedding_dim == 512


def test_the_number_of_rescnns_parameters_by_hand() -> None:
    channels, blocks, dimension = (64, 128, 256, 512), 3, 512
    strided = 25 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512)  # 5x5, no bias
    residual = blocks * 2 * 9 * sum(width**2 for width in channels)  # 3x3, no bias
    batch_norm = 2 * (1 + 2 * blocks) * sum(channels)  # weight and bias per channel
    affine = (64 // 16 * 512 + 1) * dimension
    assert strided + residual + batch_norm + affine == 24_165_568


def test_the_number_of_the_grus_parameters_by_hand() -> None:
    convolution, affine = 25 * 64, (1024 + 1) * 512  # batch normalisation has none
    gates = [3 * 1024 * (inputs + 1024 + 2) for inputs in (64 * 32, 1024, 1024)]  # two biases
    total = convolution + sum(gates) + affine
    assert total == 22_564_928
    assert round(total / 1e6, 2) == 22.56


@pytest.mark.parametrize(
    ("name", "fewest"),
    [("rescnn", 1), ("gru", 1), ("resnetse34", 1), ("resnetse34l", 1), ("vggvox40", 63),
     ("tdnn", 15), ("window_average", 20)],
)  # fmt: skip
def test_the_fewest_frames_suffice_and_one_less_is_refused(name: str, fewest: int) -> None:
    network = make_network(name).eval()
    assert network.fewest_frames == fewest
    assert network(torch.randn(2, fewest, BINS)).isfinite().all()
    message = f"an utterance of {fewest - 1} frames: the network takes {fewest} or more"
    with pytest.raises(ValueError, match=message):
        network(torch.randn(2, fewest - 1, BINS))
    with pytest.raises(ValueError, match=message):
        network(torch.randn(2, fewest + 9, BINS), torch.tensor([fewest + 9, fewest - 1]))


# Inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_another_number_of_bins_is_refused(name: str) -> None:
    network = make_network(name)
    for bins in (BINS - 1, BINS + 1):
        with pytest.raises(ValueError, match=f"frames of {bins} bins: .* built for {BINS}"):
            network(torch.randn(2, 80, bins))


@pytest.mark.parametrize("lengths", [[80], [80, 80, 80], [80, 81]])
def test_lengths_that_do_not_fit_the_batch_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=f"lengths of shape .* up to {max(lengths)} for a batch"):
        make_network("rescnn")(torch.randn(2, 80, BINS), torch.tensor(lengths))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bins", [1, 2, 5, 40, 257])
def test_any_number_of_frames_and_bins_gives_an_embedding(name: str, bins: int) -> None:
    if name == "vggvox40" and bins < 15:
        with pytest.raises(ValueError, match=f"{bins} bins are too few .* vggvox40: 15 leave one"):
            make_network(name, bins)
        return
    network = make_network(name, bins, normalise=True).eval()
    with torch.inference_mode():
        for frames in (network.fewest_frames, network.fewest_frames + 7):
            embeddings = network(torch.randn(3, frames, bins))
            assert embeddings.shape == (3, 8)
            assert embeddings.dtype == torch.float32
            assert embeddings.isfinite().all()


def test_vgg_takes_fifteen_bins_but_not_fourteen() -> None:
    make_network("vggvox40", 15)
    with pytest.raises(ValueError, match="14 bins are too few"):
        make_network("vggvox40", 14)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("pooling", ["average", "attentive_statistics"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_padded_utterance_has_the_embedding_it_has_alone(
    name: str, pooling: str, normalise: bool
) -> None:
    network = with_statistics(make_network(name, normalise=normalise, pooling=pooling))
    assert_padding_has_no_influence(network)


@pytest.mark.parametrize("pooling", ["maximum", "self_attentive", "statistics"])
def test_padding_has_no_influence_on_the_other_poolings(pooling: str) -> None:
    assert_padding_has_no_influence(with_statistics(make_network("resnetse34", pooling=pooling)))


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch() -> None:
    network = with_statistics(make_network("resnetse34l"))
    fbanks = torch.randn(6, 40, BINS)
    together = network(fbanks)
    alone = torch.cat([network(fbanks[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_normalisation_of_the_input_is_torchs_instance_norm() -> None:
    fbanks = torch.randn(3, 30, BINS) * 5 + 2
    expected = nn.InstanceNorm1d(BINS)(fbanks.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(InstanceNorm()(fbanks), expected)
    network = make_network("rescnn", normalise=True).eval()
    plain = make_network("rescnn").eval()
    torch.testing.assert_close(network(fbanks), plain(expected), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(network(3 * fbanks - 7), network(fbanks), rtol=1e-4, atol=1e-5)


# Training


@pytest.mark.parametrize("pooling", ["average", "attentive_statistics"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name: str, pooling: str) -> None:
    network = make_network(name, pooling=pooling).train()
    embeddings = network(torch.randn(6, network.fewest_frames + 60, BINS))
    (embeddings * torch.randn_like(embeddings)).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_float32_inside_autocast(name: str) -> None:
    network = to_device(make_network(name), torch.device("cpu"))
    fbanks = torch.randn(4, 80, BINS)
    with torch.autocast("cpu", torch.bfloat16):
        network(fbanks).square().sum().backward()
    assert all(
        value.grad.isfinite().all() for value in network.parameters() if value.grad is not None
    )
    with_statistics(network)
    with torch.no_grad():
        plain = network(fbanks)
        with torch.autocast("cpu", torch.bfloat16):
            cast = network(fbanks)
    assert cast.dtype == torch.float32
    assert (cast - plain).abs().max() < 0.05 * plain.abs().max()
    assert not torch.equal(cast, plain)  # it did compute in bfloat16


@pytest.mark.parametrize("pooling", ["average", "attentive_statistics"])
def test_pooling_and_the_affine_layer_are_in_float32_inside_autocast(pooling: str) -> None:
    network = with_statistics(make_network("resnetse34l", pooling=pooling))
    fbanks = torch.randn(4, 80, BINS)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        cast = network(fbanks)
        features, _ = network.trunk(fbanks[:, None].contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(cast, network.affine(network.pooling(features.float())))


@pytest.mark.parametrize(
    ("name", "left"),
    [("rescnn", 0), ("gru", 0), ("resnetse34", 5), ("resnetse34l", 5), ("vggvox40", 0),
     ("tdnn", 5), ("window_average", 0)],
)  # fmt: skip
def test_folding_batch_norm_changes_no_embedding(name: str, left: int) -> None:
    network = with_statistics(make_network(name))
    folded = to_device(fold_batch_norm(copy.deepcopy(network)), torch.device("cpu"))
    # Those that come after a ReLU stay: one per residual block with squeeze and excitation.
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == left
    fbanks, lengths = torch.randn(2, 80, BINS), torch.tensor([80, 66])
    fbanks[1, 66:] = 0
    with torch.inference_mode():
        torch.testing.assert_close(folded(fbanks), network(fbanks), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            folded(fbanks, lengths), network(fbanks, lengths), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_seeded_weights_repeat(name: str) -> None:
    first, again, other = (make_network(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    weight = "base.affine.weight" if name == "window_average" else "affine.weight"
    assert not torch.equal(first[weight], other[weight])


# Parts


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
    assert torch.equal(block(inputs)[0], inputs.clamp(0, 20))  # the identity shortcut alone
    block = ResidualBlock(2).eval()
    assert torch.equal(block(inputs)[0], (block.layers(inputs)[0] + inputs).clamp(0, 20))


def test_squeeze_and_excitation_averages_valid_frames_only() -> None:
    layer = SqueezeExcitation(16)
    maps = torch.rand(1, 16, 6, 3)
    expected = maps * layer.fc(maps[:, :, :4].mean(dim=(2, 3)))[:, :, None, None]
    torch.testing.assert_close(layer(maps, torch.tensor([4]))[0], expected)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_lengths_follow_each_stride(kernel: int, stride: int, padding: int) -> None:
    pads = min(padding, kernel // 2)
    layer = TimeConv2d(1, 1, (kernel, 1), (stride, 1), (pads, 0))
    pool = TimeMaxPool2d((kernel, 1), (stride, 1), (pads, 0))
    for frames in range(kernel, 12):
        maps, lengths = layer(torch.rand(1, 1, frames, 1), torch.tensor([frames]))
        assert maps.shape[2] == lengths
        assert pool(torch.rand(1, 1, frames, 1), torch.tensor([frames]))[0].shape == maps.shape
        needed = layer.frames_needed(int(lengths))
        assert needed <= frames < needed + stride


def test_a_time_delay_layer_is_a_dilated_convolution() -> None:
    torch.manual_seed(0)
    layer = TimeDelay(5, 7, 3, 2)
    maps = torch.randn(2, 5, 20, 1)
    expected = nn.functional.conv2d(maps, layer.weight, layer.bias, dilation=(2, 1))
    torch.testing.assert_close(layer(maps)[0], expected)


class MeanOfFrames(nn.Module):
    """A base network whose embedding is known."""

    num_bins, fewest_frames, embedding_dim = 2, 1, 2

    def forward(self, fbanks: Tensor) -> Tensor:
        return fbanks.mean(dim=1)


def test_a_window_average_by_hand() -> None:
    base: Any = MeanOfFrames()
    network = WindowAverage(base, window_frames=2, shift_frames=2)
    fbanks = torch.tensor([[[3.0, 4.0]] * 2 + [[0.0, 5.0]] * 2 + [[9.0, 0.0]]])
    # Windows of mean (3, 4) and (0, 5): unit vectors (.6, .8) and (0, 1); the last frame is left.
    assert network(fbanks)[0].tolist() == pytest.approx([0.3, 0.9])
    assert network(fbanks, torch.tensor([5]))[0].tolist() == pytest.approx([0.3, 0.9])
    assert network(fbanks, torch.tensor([3]))[0].tolist() == pytest.approx([0.6, 0.8])


def test_a_chunk_of_480_frames_has_five_windows_of_160() -> None:
    network = make_network("window_average")
    network = WindowAverage(network.base, 160, 80).eval()
    fbanks = torch.randn(2, 480, BINS)
    parts = [network.base(fbanks[:, i * 80 : i * 80 + 160]) for i in range(5)]
    expected = torch.stack([part / part.norm(dim=1, keepdim=True) for part in parts]).mean(dim=0)
    torch.testing.assert_close(network(fbanks), expected, rtol=1e-5, atol=1e-6)


def test_windows_shorter_than_the_base_network_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="window_frames 14: its network takes 15 or more"):
        WindowAverage(make_network("tdnn"), 14, 7)
