"""Layers that know where utterances end.

Maps are (batch, channels, frames, bins). In a batch padded to its longest utterance, `lengths`,
shape (batch,), counts the frames of each. Layers that mix frames clear what lies beyond the end
before they do, so that they see the zeros that surround an utterance alone, and shorten the lengths
by their stride. Without lengths, as in training on chunks, they add nothing to the plain layers.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.networks.pooling import valid_frames

Masked = tuple[Tensor, Tensor | None]
CLIP = 20.0


def clear_padding(maps: Tensor, lengths: Tensor) -> Tensor:
    """Return the maps with zeros beyond the end of each utterance."""
    return maps.masked_fill(~valid_frames(lengths, maps.shape[2])[:, None, :, None], 0)


class TimeLayer(nn.Module):
    """A layer that takes and returns (maps, lengths); others take and return maps alone."""

    def frames_needed(self, outputs: int) -> int:
        """Return the fewest frames that give `outputs` frames."""
        return outputs

    def output_bins(self, bins: int) -> int:
        """Return the number of bins that are left of `bins`; none where it is less than 1."""
        return bins


class WindowLayer(TimeLayer):
    """A convolution or pooling with (frames, bins) of kernel, stride and padding."""

    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any

    def frames_needed(self, outputs: int) -> int:
        reach = self.dilation[0] * (self.kernel_size[0] - 1)
        return (outputs - 1) * self.stride[0] + reach + 1 - 2 * self.padding[0]

    def output_bins(self, bins: int) -> int:
        return self._outputs(bins, 1)

    def mask(self, maps: Tensor, lengths: Tensor | None) -> Masked:
        """Return the maps with padding cleared, and the lengths after this layer."""
        if lengths is None:
            return maps, None
        if self.kernel_size[0] > 1:
            maps = clear_padding(maps, lengths)
        return maps, self._outputs(lengths, 0)

    def _outputs(self, inputs: Any, axis: int) -> Any:
        reach = self.dilation[axis] * (self.kernel_size[axis] - 1)
        return (inputs + 2 * self.padding[axis] - reach - 1) // self.stride[axis] + 1


class TimeConv2d(nn.Conv2d, WindowLayer):
    """A convolution over frames and bins."""

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:  # type: ignore[override]
        maps, lengths = self.mask(maps, lengths)
        return self.convolve(maps, self.padding), lengths

    def convolve(self, maps: Tensor, padding: Any) -> Tensor:
        """Convolve maps, with the padding of frames and bins.

        In bfloat16 on processors with AMX, oneDNN of torch 2.13 reads beyond maps where a stride
        leaves one bin: float32 takes its place there.
        """

        def run(maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return F.conv2d(maps, weight, bias, self.stride, padding, self.dilation)

        left = maps.shape[3] + 2 * padding[1] - self.dilation[1] * (self.kernel_size[1] - 1) - 1
        if self.stride[1] == 1 or left >= self.stride[1]:
            return run(maps, self.weight, self.bias)
        bias = None if self.bias is None else self.bias.float()
        with torch.autocast(maps.device.type, enabled=False):
            return run(maps.float(), self.weight.float(), bias)


class SameConv2d(TimeConv2d):
    """A convolution of stride 2 with TensorFlow's "same" padding, which depends on the size.

    An odd size is padded by half the kernel at both ends, an even one by a zero less at the
    beginning; both are halved, rounding up.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2, padding=kernel // 2)

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:  # type: ignore[override]
        half, (frames, bins) = self.kernel_size[0] // 2, maps.shape[2:]
        bin_pads = (half - 1 + bins % 2, half)
        if lengths is None:
            maps = F.pad(maps, (*bin_pads, half - 1 + frames % 2, half))
            return self.convolve(maps, (0, 0)), None
        maps, shorter = self.mask(maps, lengths)
        maps = F.pad(maps, (*bin_pads, half, half + 1))
        is_even = (lengths % 2 == 0)[:, None, None, None]
        maps = torch.where(is_even, maps[:, :, 1:], maps[:, :, :-1])
        return self.convolve(maps, (0, 0)), shorter


class TimeMaxPool2d(nn.MaxPool2d, WindowLayer):
    """The maximum over windows of maps that are nowhere negative, so that 0 is no maximum."""

    def __init__(
        self, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__(kernel, stride, padding, dilation=(1, 1))

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        maps, lengths = self.mask(maps, lengths)
        return super().forward(maps), lengths


class TimeSequential(nn.Sequential, TimeLayer):
    """Layers one after the other."""

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        for layer in self:
            if isinstance(layer, TimeLayer):
                maps, lengths = layer(maps, lengths)
            else:
                maps = layer(maps)
        return maps, lengths

    def frames_needed(self, outputs: int) -> int:
        for layer in reversed(list(self)):
            if isinstance(layer, TimeLayer):
                outputs = layer.frames_needed(outputs)
        return outputs

    def output_bins(self, bins: int) -> int:
        for layer in self:
            if isinstance(layer, TimeLayer):
                bins = layer.output_bins(bins)
        return bins


class ClippedReLU(nn.Hardtanh):
    """min(max(x, 0), 20); unlike clamp's, hardtanh's gradient is a single pass."""

    def __init__(self) -> None:
        super().__init__(0.0, CLIP)


class ConvBatchNorm(TimeSequential):
    """A square convolution without bias, and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            TimeConv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class KerasConvBatchNorm(TimeSequential):
    """The same as Keras has it: with bias, "same" padding, and its constants of normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        convolution = (
            SameConv2d(inputs, outputs, kernel)
            if stride == 2
            else TimeConv2d(inputs, outputs, kernel, padding=kernel // 2)
        )
        super().__init__(convolution, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))


class FlattenBins(nn.Module):
    """Maps (batch, channels, frames, bins) to features (batch, channels * bins, frames)."""

    def forward(self, maps: Tensor) -> Tensor:
        if maps.shape[3] == 1:  # so that gradients, too, are known to have the channels last
            return maps.permute(0, 2, 3, 1).flatten(2).transpose(1, 2)
        return maps.transpose(2, 3).flatten(1, 2)


class FlattenChannels(nn.Module):
    """Maps (batch, channels, frames, bins) to features (batch, bins * channels, frames)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 3, 1, 2).flatten(1, 2)


class MeanOverBins(nn.Module):
    """Maps (batch, channels, frames, bins) to float32 features (batch, channels, frames)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=3, dtype=torch.promote_types(maps.dtype, torch.float32))
