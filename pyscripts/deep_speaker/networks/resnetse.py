"""Residual networks with squeeze and excitation, as voxceleb_trainer has them.

Chung et al. 2020, "In defence of metric learning for speaker recognition", arXiv 2003.11982,
section 3.1: Thin ResNet-34, and Fast ResNet-34, of a quarter of ResNet-34's channels.
"""

from collections import OrderedDict

from torch import Tensor, nn

from deep_speaker.config.networks import ResNetSE34, ResNetSE34L
from deep_speaker.networks.layers import (
    Masked,
    MeanOverBins,
    TimeConv2d,
    TimeLayer,
    TimeMaxPool2d,
    TimeSequential,
)
from deep_speaker.networks.pooling import equal_weights
from deep_speaker.networks.speaker_network import SpeakerNetwork

REDUCTION = 8


class SqueezeExcitation(TimeLayer):
    """A factor of 0 to 1 per channel, from the means of all (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        if lengths is None:
            means = maps.mean(dim=(2, 3))
        else:
            over_bins = maps.mean(dim=3)
            means = (over_bins * equal_weights(over_bins, lengths)).sum(dim=2)
        return maps * self.fc(means)[:, :, None, None], lengths


def square_convolution(
    inputs: int, outputs: int, kernel: int, stride: int | tuple[int, int]
) -> nn.Module:
    """Build a square convolution without bias, its weights drawn as He et al. 2015 for ReLU."""
    layer = TimeConv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


class Block(TimeLayer):
    """Two 3x3 convolutions, squeeze and excitation, and a shortcut.

    The first batch normalisation comes after the ReLU, as in the published weights.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        layers = OrderedDict[str, nn.Module](
            conv1=square_convolution(inputs, outputs, 3, stride),
            relu=nn.ReLU(inplace=True),
            bn1=nn.BatchNorm2d(outputs),
            conv2=square_convolution(outputs, outputs, 3, 1),
            bn2=nn.BatchNorm2d(outputs),
            se=SqueezeExcitation(outputs, max(1, outputs // REDUCTION)),
        )
        self.layers = TimeSequential(layers)
        self.shortcut = TimeSequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = TimeSequential(
                square_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        outputs, shorter = self.layers(maps, lengths)
        return self.activation(outputs + self.shortcut(maps, lengths)[0]), shorter


def resnetse(
    options: ResNetSE34 | ResNetSE34L, num_bins: int, normalise_input: bool
) -> SpeakerNetwork:
    """Build four stages of blocks, mean over frequency, pooling over time, and an affine layer.

    Both have 1,437,078 parameters with self-attentive pooling; any number of frames and bins is
    accepted. The Thin one saves time by max pooling over frequency after the first layer, and
    halves time and frequency once more in the last stage.
    """
    thin = options.name == "resnetse34"
    channels = options.channels
    layers = OrderedDict[str, nn.Module](
        conv1=square_convolution(1, channels[0], 7, (1, 2)),
        bn1=nn.BatchNorm2d(channels[0]),
        relu=nn.ReLU(inplace=True),
    )
    if thin:
        layers["pool"] = TimeMaxPool2d((3, 3), (1, 2), (1, 1))
    inputs = channels[0]
    for stage, stride in enumerate((1, 2, 2, 2 if thin else 1)):
        blocks = [Block(inputs, channels[stage], stride)]
        inputs = channels[stage]
        blocks += [Block(inputs, inputs, 1) for _ in range(options.blocks[stage] - 1)]
        layers[f"layer{stage + 1}"] = TimeSequential(*blocks)
    layers["mean"] = MeanOverBins()
    return SpeakerNetwork(
        TimeSequential(layers),
        channels[-1],
        options.pooling,
        options.embedding_dim,
        num_bins,
        normalise_input,
    )
