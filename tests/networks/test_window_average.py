"""Means over sliding windows, by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deep_speaker.networks.window_average import WindowAverageNetwork
from support.tiny_networks import BINS, make_network


class MeanOfFrames(nn.Module):
    """A base network whose embedding is known."""

    num_bins, fewest_frames, embedding_dim = 2, 1, 2

    def forward(self, fbanks: Tensor) -> Tensor:
        return fbanks.mean(dim=1)


def test_a_window_average_by_hand() -> None:
    base: Any = MeanOfFrames()
    network = WindowAverageNetwork(base, window_frames=2, shift_frames=2)
    fbanks = torch.tensor([[[3.0, 4.0]] * 2 + [[0.0, 5.0]] * 2 + [[9.0, 0.0]]])
    # Windows of mean (3, 4) and (0, 5): unit vectors (.6, .8) and (0, 1); the last frame is left.
    assert network(fbanks)[0].tolist() == pytest.approx([0.3, 0.9])
    assert network(fbanks, torch.tensor([5]))[0].tolist() == pytest.approx([0.3, 0.9])
    assert network(fbanks, torch.tensor([3]))[0].tolist() == pytest.approx([0.6, 0.8])


def test_a_chunk_of_480_frames_has_five_windows_of_160() -> None:
    network = make_network("window_average")
    network = WindowAverageNetwork(network.base, 160, 80).eval()
    fbanks = torch.randn(2, 480, BINS)
    parts = [network.base(fbanks[:, i * 80 : i * 80 + 160]) for i in range(5)]
    expected = torch.stack([part / part.norm(dim=1, keepdim=True) for part in parts]).mean(dim=0)
    torch.testing.assert_close(network(fbanks), expected, rtol=1e-5, atol=1e-6)


def test_windows_shorter_than_the_base_network_takes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"window_frames 14: .* 15 or more"):
        WindowAverageNetwork(make_network("tdnn"), 14, 7)
