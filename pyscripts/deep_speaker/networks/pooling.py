"""Pooling: from features of every frame to one vector per utterance.

Features are (batch, dim, frames). Where utterances of a batch differ in length, `lengths`, shape
(batch,), counts the frames of each, at least 1; what lies beyond them has no influence.
"""

import torch
from torch import Tensor, nn

# The deviation of a single frame, or of a feature that never varies, is the root of this: the
# gradient of the root of 0 is infinite.
VARIANCE_FLOOR = 1e-5


def valid_frames(lengths: Tensor, num_frames: int) -> Tensor:
    """Tell which frames lie within their utterance: bool, shape (batch, num_frames).

    >>> valid_frames(torch.tensor([1, 3]), 3).int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    return torch.arange(num_frames, device=lengths.device) < lengths[:, None]


def equal_weights(features: Tensor, lengths: Tensor | None) -> Tensor:
    """Return one over the number of frames, 0 beyond the end: shape (batch, 1, frames)."""
    num_frames = features.shape[2]
    if lengths is None:
        return features.new_full((1, 1, num_frames), 1 / num_frames)
    return (valid_frames(lengths, num_frames) / lengths[:, None])[:, None].to(features.dtype)


def mean_and_deviation(
    features: Tensor, weights: Tensor, variance_floor: float = VARIANCE_FLOOR
) -> Tensor:
    """Return weighted mean and standard deviation over time, side by side: (batch, 2 dim)."""
    mean = (features * weights).sum(dim=2, keepdim=True)
    variance = ((features - mean).square() * weights).sum(dim=2)
    return torch.cat([mean.squeeze(2), variance.clamp(min=variance_floor).sqrt()], dim=1)


class PoolingLayer(nn.Module):
    """Maps features (batch, dim, frames) to vectors (batch, output_dim(dim))."""

    def __init__(self, dim: int) -> None:
        super().__init__()

    @staticmethod
    def output_dim(dim: int) -> int:
        return dim


class Average(PoolingLayer):
    """The mean over time (TAP)."""

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            return features.mean(dim=2)
        return (features * equal_weights(features, lengths)).sum(dim=2)


class Maximum(PoolingLayer):
    """The largest value over time (MAX)."""

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None:
            valid = valid_frames(lengths, features.shape[2])
            features = features.masked_fill(~valid[:, None], -torch.inf)
        return features.amax(dim=2)


class Statistics(PoolingLayer):
    """Mean and standard deviation over time, as Kaldi's x-vector network has it."""

    @staticmethod
    def output_dim(dim: int) -> int:
        return 2 * dim

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None:
            return mean_and_deviation(features, equal_weights(features, lengths))
        variance, mean = torch.var_mean(features, dim=2, correction=0)
        return torch.cat([mean, variance.clamp(min=VARIANCE_FLOOR).sqrt()], dim=1)


class SelfAttentive(PoolingLayer):
    """The mean weighted by attention (SAP, Cai et al. 2018, arXiv 1804.05160, equations 3 to 6).

    The weight of frame h is the softmax over time of a . tanh(W h + b), which voxceleb_trainer
    calls SAP as well.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.linear = nn.Linear(dim, dim)
        self.attention = nn.Parameter(nn.init.xavier_normal_(torch.empty(dim, 1)))

    def weights(self, features: Tensor, lengths: Tensor | None) -> Tensor:
        """Return weights that sum to 1 over each utterance's frames: shape (batch, 1, frames)."""
        hidden = torch.tanh(self.linear(features.transpose(1, 2)))  # (batch, frames, dim)
        scores = (hidden @ self.attention).transpose(1, 2)  # (batch, 1, frames)
        if lengths is not None:
            valid = valid_frames(lengths, features.shape[2])
            scores = scores.masked_fill(~valid[:, None], -torch.inf)
        return scores.softmax(dim=2)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        return (features * self.weights(features, lengths)).sum(dim=2)


class AttentiveStatistics(SelfAttentive):
    """Mean and standard deviation weighted by attention (ASP, Okabe et al. 2018, 1803.10963).

    The attention is that of SAP, as in voxceleb_trainer.
    """

    @staticmethod
    def output_dim(dim: int) -> int:
        return 2 * dim

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        return mean_and_deviation(features, self.weights(features, lengths))


class ContextAttentiveStatistics(PoolingLayer):
    """Mean and deviation of each channel by an attention of its own (Desplanques et al. 2020).

    Of ECAPA-TDNN, arXiv 2005.07143, section 3.1, as SpeechBrain has it: the attention of a frame
    also sees mean and deviation of the whole utterance, passes a batch normalisation, and the
    pooled vector passes another.
    """

    HIDDEN = 128
    VARIANCE_FLOOR = 1e-12  # a channel that never varies is near 0 in published weights

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.hidden = nn.Linear(3 * dim, self.HIDDEN)
        self.hidden_norm = nn.BatchNorm1d(self.HIDDEN)
        self.scores = nn.Linear(self.HIDDEN, dim)
        self.norm = nn.BatchNorm1d(2 * dim)

    @staticmethod
    def output_dim(dim: int) -> int:
        return 2 * dim

    def context(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return mean and deviation of whole utterances, which every frame sees: (batch, 2 dim)."""
        return mean_and_deviation(features, equal_weights(features, lengths), self.VARIANCE_FLOOR)

    def hear(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the output of the hidden layer before its ReLU: (batch, frames, HIDDEN)."""
        context = self.context(features, lengths)
        # The context is the same for all frames: its product with the weights is computed once.
        of_frame, of_context = self.hidden.weight.split([features.shape[1], context.shape[1]], 1)
        hidden = nn.functional.linear(features.transpose(1, 2), of_frame)
        return hidden + nn.functional.linear(context, of_context, self.hidden.bias)[:, None]

    def weights(self, features: Tensor, lengths: Tensor | None) -> Tensor:
        """Return weights that sum to 1 over each utterance's frames: (batch, dim, frames)."""
        hidden = self.hear(features, lengths)
        hidden = self.hidden_norm(hidden.relu().transpose(1, 2)).transpose(1, 2)
        scores = self.scores(hidden.tanh())  # (batch, frames, dim)
        if lengths is not None:
            scores = scores.masked_fill(
                ~valid_frames(lengths, scores.shape[1])[:, :, None], -torch.inf
            )
        return scores.softmax(dim=1).transpose(1, 2)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        weights = self.weights(features, lengths)
        return self.norm(mean_and_deviation(features, weights, self.VARIANCE_FLOOR))


POOLINGS: dict[str, type[PoolingLayer]] = {
    "average": Average,
    "maximum": Maximum,
    "self_attentive": SelfAttentive,
    "attentive_statistics": AttentiveStatistics,
    "context_attentive_statistics": ContextAttentiveStatistics,
    "statistics": Statistics,
}
