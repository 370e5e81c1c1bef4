"""ResCNN, the convolutional network of Deep Speaker (Li et al. 2017, section 3.1 and table 1)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deep_speaker.config import Network

CLIP = 20.0


class ClippedReLU(nn.Hardtanh):
    """min(max(x, 0), 20); unlike clamp's, hardtanh's gradient is a single pass."""

    def __init__(self) -> None:
        super().__init__(0.0, CLIP)


class ConvBatchNorm(nn.Sequential):
    """A square convolution without bias, and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and an identity shortcut, clipped ReLU after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvBatchNorm(channels, channels, 3),
            ClippedReLU(),
            ConvBatchNorm(channels, channels, 3),
        )
        self.activation = ClippedReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.activation(self.layers(inputs) + inputs)


def stages(channels: Sequence[int], blocks_per_stage: int) -> nn.Sequential:
    """Per stage a 5x5 convolution of stride 2 in time and frequency, then residual blocks."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip((1, *channels), channels, strict=False):
        layers += [ConvBatchNorm(inputs, outputs, 5, stride=2), ClippedReLU()]
        layers += [ResidualBlock(outputs) for _ in range(blocks_per_stage)]
    return nn.Sequential(*layers)


class ResCNN(nn.Module):
    """Residual stages, mean over time, and an affine layer.

    The paper's sizes, 64 mels and (64, 128, 256, 512) channels with 3 blocks each, give 24.2
    million parameters. Each stage halves time and frequency, rounding up, so any number of frames
    and mels is accepted.
    """

    def __init__(self, config: Network, num_mels: int) -> None:
        super().__init__()
        self.stages = stages(config.channels, config.blocks_per_stage)
        remaining_mels = num_mels
        for _ in config.channels:
            remaining_mels = (remaining_mels + 1) // 2
        self.affine = nn.Linear(config.channels[-1] * remaining_mels, config.embedding_dim)

    def forward(self, fbanks: Tensor) -> Tensor:
        """Map log-mel filterbanks to speaker embeddings before length normalisation.

        Args:
            fbanks: shape (batch, frames, mels), one frame per 10 ms, at least 1 frame.

        Returns:
            float32, shape (batch, embedding_dim). The losses and the extraction of embeddings
            normalise the length; pre-training with a plain softmax does not (section 3.5).
        """
        images = fbanks.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        maps = self.stages(images)  # (batch, channels, frames / 16, mels / 16)
        pooled = maps.float().mean(dim=2).flatten(1)  # (batch, channels * mels / 16)
        with torch.autocast(fbanks.device.type, enabled=False):
            return self.affine(pooled.to(self.affine.weight.dtype)).float()
