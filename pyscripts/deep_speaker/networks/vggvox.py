"""VGG-M for mel filterbanks, as voxceleb_trainer has it (Chung et al. 2020, arXiv 2003.11982)."""

from torch import nn

from deep_speaker.config.networks import VGGVox40
from deep_speaker.networks.layers import FlattenBins, TimeConv2d, TimeMaxPool2d, TimeSequential
from deep_speaker.networks.speaker_network import SpeakerNetwork


def convolution_layers(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (1, 1),
) -> list[nn.Module]:
    """Build a convolution with bias, batch normalisation and ReLU; sizes are (frames, bins)."""
    layer = TimeConv2d(inputs, outputs, kernel, stride, padding)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def vggvox40(options: VGGVox40, num_bins: int, normalise_input: bool) -> SpeakerNetwork:
    """Build six convolutions, the last over all bins that are left, pooling and an affine layer.

    With the 40 bins it was made for, 4 are left, and it has 4,032,448 parameters with
    self-attentive pooling. None of its 512 features is negative.

    Raises:
        ValueError: no bin is left.
    """
    front = TimeSequential(
        *convolution_layers(1, 96, (7, 5), (2, 1), (2, 2)),
        TimeMaxPool2d((3, 1), (2, 1)),
        *convolution_layers(96, 256, (5, 5), (2, 2)),
        TimeMaxPool2d((3, 3), (2, 2)),
        *convolution_layers(256, 384, (3, 3)),
        *convolution_layers(384, 256, (3, 3)),
        *convolution_layers(256, 256, (3, 3)),
        TimeMaxPool2d((3, 3), (2, 2)),
    )
    height = front.output_bins(num_bins)
    if height < 1:
        raise ValueError(f"{num_bins} bins are too few for the network vggvox40: take 15 or more")
    top = convolution_layers(256, 512, (1, height), padding=(0, 0))
    return SpeakerNetwork(
        TimeSequential(*front, *top, FlattenBins()),
        512,
        options.pooling,
        options.embedding_dim,
        num_bins,
        normalise_input,
    )
