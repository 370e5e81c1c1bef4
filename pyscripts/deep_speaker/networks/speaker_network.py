"""The parts that networks share: normalisation of the input, checks, pooling, the affine layer."""

import torch
from torch import Tensor, nn

from deep_speaker.networks.layers import TimeSequential
from deep_speaker.networks.pooling import POOLINGS, equal_weights

VARIANCE_OFFSET = 1e-5  # of torch's InstanceNorm1d


class InstanceNorm(nn.Module):
    """Zero mean and unit variance of each bin over the frames given."""

    def forward(self, fbanks: Tensor, lengths: Tensor | None = None) -> Tensor:
        features = fbanks.transpose(1, 2)  # (batch, bins, frames)
        weights = equal_weights(features, lengths)
        centred = features - (features * weights).sum(dim=2, keepdim=True)
        variance = (centred.square() * weights).sum(dim=2, keepdim=True)
        return (centred * (variance + VARIANCE_OFFSET).rsqrt()).transpose(1, 2)


class EmbeddingNetwork(nn.Module):
    """Maps filterbanks (batch, frames, bins) to embeddings (batch, embedding_dim).

    Attributes:
        num_bins: bins of the frames that it takes.
        fewest_frames: the fewest frames that it takes.
        embedding_dim: dimensions of the vectors that it gives.
        in_bfloat16: some of its weights are cast to bfloat16, and it is to run under autocast.
    """

    in_bfloat16 = False
    num_bins: int
    fewest_frames: int
    embedding_dim: int


class SpeakerNetwork(EmbeddingNetwork):
    """Layers on frames (the trunk), pooling over time, and an affine layer."""

    def __init__(
        self,
        trunk: TimeSequential,
        dim: int,
        pooling: str,
        embedding_dim: int,
        num_bins: int,
        normalise_input: bool,
    ) -> None:
        """Build a network on a trunk.

        Args:
            trunk: maps images (batch, 1, frames, bins) to features (batch, dim, frames).
            dim: of the features.
            pooling: one of `POOLINGS`.
        """
        super().__init__()
        self.num_bins = num_bins
        self.embedding_dim = embedding_dim
        self.fewest_frames = trunk.frames_needed(1)
        self.normalisation = InstanceNorm() if normalise_input else None
        self.trunk = trunk
        self.pooling = POOLINGS[pooling](dim)
        self.affine = nn.Linear(self.pooling.output_dim(dim), embedding_dim)

    def forward(self, fbanks: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map filterbanks to speaker embeddings before length normalisation.

        Args:
            fbanks: shape (batch, frames, bins).
            lengths: shape (batch,), the frames of each utterance in a batch padded with zeros;
                None: all are as long as the batch. In evaluation mode an embedding is that of the
                utterance alone; in training mode batch normalisation sees the padding too.

        Returns:
            float32, shape (batch, embedding_dim). The losses and the extraction of embeddings
            normalise the length; pre-training with a plain softmax does not (Deep Speaker,
            section 3.5).

        Raises:
            ValueError: another number of bins, or fewer frames than `fewest_frames`.
        """
        pooled = self.pool(fbanks, lengths)
        with torch.autocast(fbanks.device.type, enabled=False):
            return self.affine(pooled).float()

    def pool(self, fbanks: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map filterbanks to what the affine layer maps on: (batch, pooled features)."""
        check_input(fbanks, lengths, self.num_bins, self.fewest_frames)
        if self.normalisation is not None:
            fbanks = self.normalisation(fbanks, lengths)
        # The channel is the last axis in memory: by `unsqueeze(1)` convolutions would take the
        # images, and give the maps of the first layers, as if channels came first.
        images = fbanks.contiguous().unsqueeze(3).permute(0, 3, 1, 2)
        features, lengths = self.trunk(images, lengths)
        with torch.autocast(fbanks.device.type, enabled=False):
            return self.pooling(features.to(self.affine.weight.dtype), lengths)


def check_input(fbanks: Tensor, lengths: Tensor | None, num_bins: int, fewest_frames: int) -> None:
    """Refuse frames and lengths that a network was not built for."""
    batch, frames, bins = fbanks.shape
    if bins != num_bins:
        raise ValueError(f"frames of {bins} bins: the network is built for {num_bins}")
    shortest = frames
    if lengths is not None:
        shortest, longest = int(lengths.min()), int(lengths.max())
        if lengths.shape != (batch,) or longest > frames:
            raise ValueError(
                f"lengths of shape {tuple(lengths.shape)} up to {longest} for a batch of {batch} "
                f"with {frames} frames: give one per utterance, of at most its frames"
            )
    if shortest < fewest_frames:
        raise ValueError(
            f"an utterance of {shortest} frames: the network takes {fewest_frames} or more"
        )
