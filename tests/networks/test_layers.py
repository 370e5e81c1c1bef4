"""Layers by hand and against torch's own: activations, lengths, blocks, time delays."""

import pytest
import torch
from torch import nn

from deep_speaker.networks.layers import ClippedReLU, SameConv2d, TimeConv2d, TimeMaxPool2d
from deep_speaker.networks.resnetse import SqueezeExcitation
from deep_speaker.networks.tdnn import TimeDelay


def test_clipped_relu_by_hand() -> None:
    inputs = torch.tensor([-5.0, 0.0, 3.0, 20.0, 21.0, 1e9], requires_grad=True)
    outputs = ClippedReLU()(inputs)
    assert outputs.tolist() == [0, 0, 3, 20, 20, 20]
    outputs.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad[[0, 2, 4, 5]].tolist() == [0, 1, 0, 0]


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


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("bins", [1, 2, 5, 6])
def test_same_padding_is_tensorflow_s(kernel: int, frames: int, bins: int) -> None:
    torch.manual_seed(0)
    layer = SameConv2d(2, 3, kernel)
    maps = torch.randn(1, 2, frames, bins)
    pads = []
    for size in (bins, frames):  # the last axis first
        total = max((-(-size // 2) - 1) * 2 + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    padded = nn.functional.pad(maps, pads)
    expected = nn.functional.conv2d(padded, layer.weight, layer.bias, 2)
    torch.testing.assert_close(layer(maps)[0], expected)
    assert expected.shape[2:] == (-(-frames // 2), layer.output_bins(bins))
    assert layer.frames_needed(expected.shape[2]) in (frames, frames - 1)

    batch = torch.cat([nn.functional.pad(maps, (0, 0, 0, 3)), torch.randn(1, 2, frames + 3, bins)])
    together, lengths = layer(batch, torch.tensor([frames, frames + 3]))
    assert lengths.tolist() == [-(-frames // 2), -(-(frames + 3) // 2)]
    torch.testing.assert_close(together[:1, :, : lengths[0]], expected)
    torch.testing.assert_close(together[1:], layer(batch[1:])[0])


@pytest.mark.parametrize("bins", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("same", [False, True])
def test_narrow_maps_are_convolved_as_well_in_bfloat16(bins: int, kernel: int, same: bool) -> None:
    """oneDNN reads beyond maps that a stride leaves one bin of, where the processor has AMX."""
    torch.manual_seed(0)
    layer = TimeConv2d(32, 64, kernel, stride=2, padding=kernel // 2)
    if same and kernel > 1:
        layer = SameConv2d(32, 64, kernel)
    maps = torch.randn(4, 32, 20, bins).contiguous(memory_format=torch.channels_last)
    expected, _ = layer(maps)
    for _ in range(4):  # it may find zeros there
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            cast, _ = layer(maps)
        torch.testing.assert_close(cast.float(), expected, atol=0.05, rtol=0.05)
    layer.to(torch.bfloat16)  # as extraction casts its weights
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(maps)[0].float(), expected, atol=0.05, rtol=0.05)


def test_squeeze_and_excitation_averages_valid_frames_only() -> None:
    layer = SqueezeExcitation(16, 2)
    maps = torch.rand(1, 16, 6, 3)
    expected = maps * layer.fc(maps[:, :, :4].mean(dim=(2, 3)))[:, :, None, None]
    torch.testing.assert_close(layer(maps, torch.tensor([4]))[0], expected)


def test_a_time_delay_layer_is_a_dilated_convolution() -> None:
    torch.manual_seed(0)
    layer = TimeDelay(5, 7, 3, 2)
    maps = torch.randn(2, 5, 20, 1)
    expected = nn.functional.conv2d(maps, layer.weight, layer.bias, dilation=(2, 1))
    torch.testing.assert_close(layer(maps)[0], expected)
