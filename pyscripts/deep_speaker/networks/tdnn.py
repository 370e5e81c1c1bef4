"""Kaldi's x-vector network (Snyder et al. 2018; its egs/voxceleb/v2/local/nnet3/xvector)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config.networks import TDNN
from deep_speaker.networks.layers import FlattenBins, Masked, TimeConv2d, TimeSequential
from deep_speaker.networks.speaker_network import SpeakerNetwork

NORM_OFFSET = 1e-3  # Kaldi's batch normalisation, which has no scale and bias of its own


class BinsAsChannels(nn.Module):
    """Images (batch, 1, frames, bins) to maps (batch, bins, frames, 1), without a copy."""

    def forward(self, images: Tensor) -> Tensor:
        return images.transpose(1, 3)


class TimeDelay(TimeConv2d):
    """An affine layer on `kernel` frames that lie `dilation` apart.

    One product of matrices: on a CPU a dilated convolution's gradient takes three times as long.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__(inputs, outputs, (kernel, 1), dilation=(dilation, 1))

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:  # type: ignore[override]
        maps, lengths = self.mask(maps, lengths)
        return self.multiply(maps), lengths

    def stack(self, maps: Tensor) -> Tensor:
        """Return what the layer multiplies: `kernel` frames as one, (batch, kernel * inputs, ...).

        Of all frames that have the others beside them.
        """
        kernel, dilation = self.kernel_size[0], self.dilation[0]
        if kernel == 1:
            return maps
        frames = maps.shape[2] - dilation * (kernel - 1)
        shifted = [maps[:, :, i * dilation : i * dilation + frames] for i in range(kernel)]
        return torch.cat(shifted, dim=1)

    def multiply(self, maps: Tensor) -> Tensor:
        """Return the layer's output on all frames that have the others beside them."""
        maps = self.stack(maps)
        weight = self.weight.transpose(1, 2).flatten(1)  # (outputs, kernel * inputs)
        return F.linear(maps.permute(0, 2, 3, 1), weight, self.bias).permute(0, 3, 1, 2)


def delay_layer(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> list[nn.Module]:
    """Build an affine layer, ReLU and batch normalisation, in Kaldi's order."""
    return [
        TimeDelay(inputs, outputs, kernel, dilation),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(outputs, eps=NORM_OFFSET, affine=False),
    ]


def tdnn(options: TDNN, num_bins: int, normalise_input: bool) -> SpeakerNetwork:
    """Build layers on frames -2 to 2, {-2, 0, 2}, {-3, 0, 3}, 0 and 0; pooling; an affine layer.

    A frame sees 7 others on either side, and none are made up beyond the ends: at least 15 frames
    are needed. The affine layer is Kaldi's tdnn6, whose output is the x-vector. Kaldi's layers
    after it belong to training, and are the softmax loss's `hidden_dims`.
    """
    channels = options.channels
    trunk = TimeSequential(
        BinsAsChannels(),
        *delay_layer(num_bins, channels, 5),
        *delay_layer(channels, channels, 3, dilation=2),
        *delay_layer(channels, channels, 3, dilation=3),
        *delay_layer(channels, channels),
        *delay_layer(channels, options.pooled_channels),
        FlattenBins(),
    )
    return SpeakerNetwork(
        trunk,
        options.pooled_channels,
        options.pooling,
        options.embedding_dim,
        num_bins,
        normalise_input,
    )
