"""ECAPA-TDNN (Desplanques et al. 2020, arXiv 2005.07143), layer by layer as SpeechBrain has it.

Maps are (batch, channels, frames, 1); every layer keeps the number of frames, which the ends of the
utterance, mirrored, allow for.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config.networks import ECAPATDNN
from deep_speaker.networks.layers import FlattenBins, Masked, TimeLayer, TimeSequential
from deep_speaker.networks.resnetse import SqueezeExcitation
from deep_speaker.networks.speaker_network import SpeakerNetwork
from deep_speaker.networks.tdnn import BinsAsChannels, TimeDelay

SCALE = 8  # groups of channels of a Res2Net layer
BOTTLENECK = 128  # of squeeze and excitation
DILATIONS = (2, 3, 4)


def mirror_ends(maps: Tensor, reach: int, lengths: Tensor | None) -> Tensor:
    """Continue maps by `reach` frames before the first frame and after each utterance's last.

    The frame at the end stands once: 2, 1, 0, 1, 2.
    """
    if lengths is None:
        return F.pad(maps, (0, 0, reach, reach), mode="reflect")
    frames = torch.arange(-reach, maps.shape[2] + reach, device=maps.device)
    last = lengths[:, None] - 1
    index = (last - (last - frames.abs()).abs()).clamp(min=0)  # 0 far beyond the end: of no use
    utterances = torch.arange(len(maps), device=maps.device)[:, None]
    return maps.permute(0, 2, 1, 3)[utterances, index].transpose(1, 2)


class MirroredDelay(TimeDelay):
    """An affine layer on `kernel` frames around each, `dilation` apart, mirrored at the ends."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__(inputs, outputs, kernel, dilation)
        self.reach = dilation * (kernel - 1) // 2

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:  # type: ignore[override]
        return self.multiply(self.continue_ends(maps, lengths)), lengths

    def continue_ends(self, maps: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return maps with as many frames more, mirrored, as the layer needs at both ends."""
        return mirror_ends(maps, self.reach, lengths) if self.reach else maps

    def frames_needed(self, outputs: int) -> int:
        return max(outputs, self.reach + 1)


def delay_layer(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> TimeSequential:
    """Build an affine layer on frames, ReLU and batch normalisation, in this order."""
    layers = OrderedDict[str, nn.Module](
        affine=MirroredDelay(inputs, outputs, kernel, dilation),
        relu=nn.ReLU(inplace=True),
        norm=nn.BatchNorm2d(outputs),
    )
    return TimeSequential(layers)


class Res2Net(TimeLayer):
    """Layers on groups of channels, each on the sum of its group and the output before it.

    The first group passes as it is (Gao et al. 2019, arXiv 1904.01169).
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        width = channels // SCALE
        self.dilation = dilation
        self.groups = nn.ModuleList(
            delay_layer(width, width, 3, dilation) for _ in range(SCALE - 1)
        )

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        first, second, *others = maps.chunk(SCALE, dim=1)
        layer, *layers = self.groups
        outputs = [first, layer(second, lengths)[0]]
        for layer, group in zip(layers, others, strict=True):
            outputs.append(layer(group + outputs[-1], lengths)[0])
        return torch.cat(outputs, dim=1), lengths

    def frames_needed(self, outputs: int) -> int:
        return max(outputs, self.dilation + 1)


class Block(TimeLayer):
    """Affine layer, Res2Net, affine layer, squeeze and excitation, and an identity shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        layers = OrderedDict[str, nn.Module](
            before=delay_layer(channels, channels),
            res2net=Res2Net(channels, dilation),
            after=delay_layer(channels, channels),
            se=SqueezeExcitation(channels, BOTTLENECK),
        )
        self.layers = TimeSequential(layers)

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        return self.layers(maps, lengths)[0] + maps, lengths

    def frames_needed(self, outputs: int) -> int:
        return self.layers.frames_needed(outputs)


class Aggregation(TimeSequential):
    """Blocks one after the other, whose outputs all go on, side by side."""

    def forward(self, maps: Tensor, lengths: Tensor | None = None) -> Masked:
        outputs = []
        for block in self:
            maps, _ = block(maps, lengths)
            outputs.append(maps)
        return torch.cat(outputs, dim=1), lengths


def ecapa_tdnn(options: ECAPATDNN, num_bins: int, normalise_input: bool) -> SpeakerNetwork:
    """Build a layer on five frames, three blocks, a layer on all of theirs, pooling, an affine one.

    The default has SpeechBrain's 20.8 million parameters for 80 bins, with 512 channels of which
    1536 are pooled it has the 6.2 million of the paper. The widest layer mirrors 4 frames: at least
    5 are needed.
    """
    channels = options.channels
    layers = OrderedDict[str, nn.Module](
        channels=BinsAsChannels(),
        input=delay_layer(num_bins, channels, 5),
        blocks=Aggregation(*(Block(channels, dilation) for dilation in DILATIONS)),
        output=delay_layer(len(DILATIONS) * channels, options.pooled_channels),
        features=FlattenBins(),
    )
    return SpeakerNetwork(
        TimeSequential(layers),
        options.pooled_channels,
        options.pooling,
        options.embedding_dim,
        num_bins,
        normalise_input,
    )
