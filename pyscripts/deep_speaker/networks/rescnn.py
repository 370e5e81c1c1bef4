"""ResCNN, the convolutional network of Deep Speaker (Li et al. 2017, section 3.1 and table 1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from deep_speaker.config.networks import ResCNN
from deep_speaker.networks.layers import (
    ClippedReLU,
    ConvBatchNorm,
    FlattenBins,
    FlattenChannels,
    KerasConvBatchNorm,
    Masked,
    TimeLayer,
    TimeSequential,
)
from deep_speaker.networks.speaker_network import SpeakerNetwork


class ResidualBlock(TimeLayer):
    """Two 3x3 convolutions and an identity shortcut, clipped ReLU after the sum.

    In the variant of Keras one more before the sum.
    """

    def __init__(self, channels: int, keras: bool = False) -> None:
        super().__init__()
        convolution = KerasConvBatchNorm if keras else ConvBatchNorm
        layers = [convolution(channels, channels, 3), ClippedReLU()]
        layers += [convolution(channels, channels, 3), *([ClippedReLU()] if keras else [])]
        self.layers = TimeSequential(*layers)
        self.activation = ClippedReLU()

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        outputs, lengths = self.layers(maps, lengths)
        return self.activation(outputs + maps), lengths


def residual_stages(channels: Sequence[int], blocks_per_stage: int, keras: bool) -> TimeSequential:
    """Build stages of a 5x5 convolution, of stride 2 in time and frequency, and residual blocks."""
    convolution = KerasConvBatchNorm if keras else ConvBatchNorm
    layers: list[nn.Module] = []
    for inputs, outputs in zip((1, *channels), channels, strict=False):
        layers += [convolution(inputs, outputs, 5, stride=2), ClippedReLU()]
        layers += [ResidualBlock(outputs, keras) for _ in range(blocks_per_stage)]
    return TimeSequential(*layers, FlattenChannels() if keras else FlattenBins())


def rescnn(options: ResCNN, num_bins: int, normalise_input: bool) -> SpeakerNetwork:
    """Build residual stages, mean over time, and an affine layer.

    The paper's sizes, 64 bins and (64, 128, 256, 512) channels with 3 blocks each, give 24.2
    million parameters. Each stage halves time and frequency, rounding up, so any number of frames
    and bins is accepted.

    The variant `keras` is that of Philippe Rémy (github.com/philipperemy/deep-speaker,
    conv_models.py): biases, TensorFlow's padding, a clipped ReLU before the sum, too, and the bins
    before the channels.
    """
    keras = options.variant == "keras"
    trunk = residual_stages(options.channels, options.blocks_per_stage, keras)
    dim = options.channels[-1] * trunk.output_bins(num_bins)
    return SpeakerNetwork(
        trunk, dim, options.pooling, options.embedding_dim, num_bins, normalise_input
    )
