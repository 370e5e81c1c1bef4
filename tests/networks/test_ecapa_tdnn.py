"""Layers of ECAPA-TDNN against torch's own; its numbers are in tests/published."""

import pytest
import torch
from torch import nn

from deep_speaker.config import Experiment
from deep_speaker.networks.ecapa_tdnn import MirroredDelay, Res2Net, mirror_ends
from deep_speaker.networks.registry import build_network, count_parameters
from support.tiny_networks import make_network, with_batch_norm


def test_ends_are_mirrored_without_the_last_frame() -> None:
    maps = torch.arange(5.0).expand(2, 3, 5).unsqueeze(3)
    expected = [2, 1, 0, 1, 2, 3, 4, 3, 2]
    assert mirror_ends(maps, 2, None)[1, 2, :, 0].tolist() == expected
    both = mirror_ends(maps, 2, torch.tensor([5, 3]))
    assert both[0, 0, :, 0].tolist() == expected
    assert both[1, 0, :7, 0].tolist() == [2, 1, 0, 1, 2, 1, 0]  # nothing of frames 3 and 4


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 4), (5, 1)])
def test_a_mirrored_delay_is_torchs_reflecting_convolution(kernel: int, dilation: int) -> None:
    torch.manual_seed(0)
    layer = MirroredDelay(6, 7, kernel, dilation)
    reach = dilation * (kernel - 1) // 2
    torchs = nn.Conv1d(6, 7, kernel, dilation=dilation, padding=reach, padding_mode="reflect")
    torchs.load_state_dict({"weight": layer.weight.squeeze(3), "bias": layer.bias})
    maps = torch.randn(2, 6, 20)
    torch.testing.assert_close(layer(maps.unsqueeze(3))[0].squeeze(3), torchs(maps))
    assert layer.frames_needed(1) == reach + 1


def test_each_group_of_res2net_hears_the_one_before() -> None:
    layer = with_batch_norm(Res2Net(16, 2))
    maps = torch.randn(1, 16, 9, 1)
    groups = maps.split(2, dim=1)
    expected = [groups[0], layer.groups[0](groups[1])[0]]
    for i in range(2, 8):
        expected.append(layer.groups[i - 1](groups[i] + expected[i - 1])[0])
    torch.testing.assert_close(layer(maps)[0], torch.cat(expected, dim=1))


@pytest.mark.parametrize(
    ("channels", "pooled", "million"), [(512, 1536, 6.2), (1024, 1536, 14.7), (1024, 3072, 20.8)]
)
def test_sizes_are_those_of_the_paper_and_of_speechbrain(
    channels: int, pooled: int, million: float
) -> None:
    experiment = Experiment.model_validate(
        {
            "features": {"num_mels": 80},
            "network": {"name": "ecapa_tdnn", "channels": channels, "pooled_channels": pooled},
            "pretraining": {"loss": {"name": "softmax"}},
        }
    )
    with torch.device("meta"):
        network = build_network(experiment)
    assert round(count_parameters(network) / 1e6, 1) == million


def test_channels_that_do_not_divide_into_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        make_network("ecapa_tdnn", channels=20)


def test_every_parameter_of_the_network_trains() -> None:
    network = make_network("ecapa_tdnn").train()
    network(torch.randn(4, 30, network.num_bins)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if not name.endswith("scores.bias"):  # which the softmax over time takes out
            assert parameter.grad.abs().max() > 0, name
