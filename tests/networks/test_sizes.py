"""The published sizes of the networks, and the fewest frames that each takes."""

import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.networks.registry import build_network, count_parameters
from support.tiny_networks import BINS, make_network


@pytest.mark.parametrize(
    ("name", "bins", "parameters"),
    [
        ("rescnn", 64, 24_165_568),
        ("gru", 64, 22_564_928),
        ("resnetse34", 257, 1_437_078),
        ("resnetse34l", 40, 1_437_078),
        ("vggvox40", 40, 4_032_448),
        ("tdnn", 30, 4_219_868),
        ("ecapa_tdnn", 80, 20_767_552),
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
    assert network.embedding_dim == (192 if name == "ecapa_tdnn" else 512)


def test_the_number_of_rescnns_parameters_by_hand() -> None:
    channels, blocks, dimension = (64, 128, 256, 512), 3, 512
    strided = 25 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512)  # 5x5, no bias
    residual = blocks * 2 * 9 * sum(width**2 for width in channels)  # 3x3, no bias
    batch_norm = 2 * (1 + 2 * blocks) * sum(channels)  # weight and bias per channel
    affine = (64 // 16 * 512 + 1) * dimension
    assert strided + residual + batch_norm + affine == 24_165_568
    biases = (1 + 2 * blocks) * sum(channels)  # of the variant of Keras: 24,172,288
    assert biases == 24_172_288 - 24_165_568


def test_the_number_of_the_grus_parameters_by_hand() -> None:
    convolution, affine = 25 * 64, (1024 + 1) * 512  # batch normalisation has none
    gates = [3 * 1024 * (inputs + 1024 + 2) for inputs in (64 * 32, 1024, 1024)]  # two biases
    total = convolution + sum(gates) + affine
    assert total == 22_564_928
    assert round(total / 1e6, 2) == 22.56


@pytest.mark.parametrize(
    ("name", "fewest"),
    [("rescnn", 1), ("gru", 1), ("resnetse34", 1), ("resnetse34l", 1), ("vggvox40", 63),
     ("tdnn", 15), ("ecapa_tdnn", 5), ("window_average", 20)],
)  # fmt: skip
def test_the_fewest_frames_suffice_and_one_less_is_refused(name: str, fewest: int) -> None:
    network = make_network(name).eval()
    assert network.fewest_frames == fewest
    assert network(torch.randn(2, fewest, BINS)).isfinite().all()
    message = f" {fewest - 1} frames: .* {fewest} or more"
    with pytest.raises(ValueError, match=message):
        network(torch.randn(2, fewest - 1, BINS))
    with pytest.raises(ValueError, match=message):
        network(torch.randn(2, fewest + 9, BINS), torch.tensor([fewest + 9, fewest - 1]))


def test_vgg_takes_fifteen_bins_but_not_fourteen() -> None:
    make_network("vggvox40", 15)
    with pytest.raises(ValueError, match=r"14 bins .*vggvox40: .*15"):
        make_network("vggvox40", 14)
