"""Poolings against slow formulas; padding has no influence, a single frame gives no NaN."""

import pytest
import torch
from torch import Tensor, nn

from deep_speaker.networks.pooling import (
    POOLINGS,
    VARIANCE_FLOOR,
    AttentiveStatistics,
    ContextAttentiveStatistics,
    PoolingLayer,
    SelfAttentive,
    equal_weights,
)
from support.tiny_networks import with_batch_norm

DIM = 5


def make(name: str) -> PoolingLayer:
    torch.manual_seed(3)
    return with_batch_norm(POOLINGS[name](DIM))


def slow(name: str, pooling: PoolingLayer, frames: Tensor) -> Tensor:
    """The pooling of one utterance's frames (frames, dim), element by element."""
    if isinstance(pooling, ContextAttentiveStatistics):
        return slow_context_attentive(pooling, frames)
    weights = torch.full((len(frames),), 1 / len(frames))
    if isinstance(pooling, SelfAttentive):
        scores = [
            sum(
                pooling.attention[i, 0]
                * torch.tanh(pooling.linear.weight[i] @ frame + pooling.linear.bias[i])
                for i in range(DIM)
            )
            for frame in frames
        ]
        exponentials = torch.stack([torch.exp(torch.as_tensor(score)) for score in scores])
        weights = exponentials / exponentials.sum()
    if name == "maximum":
        return torch.stack([max(frames[:, i]) for i in range(DIM)])
    mean = sum(weight * frame for weight, frame in zip(weights, frames, strict=True))
    assert isinstance(mean, Tensor)
    if name in ("average", "self_attentive"):
        return mean
    moment = sum(weight * frame**2 for weight, frame in zip(weights, frames, strict=True))
    return torch.cat([mean, (moment - mean**2).clamp(min=VARIANCE_FLOOR).sqrt()])


def slow_norm(norm: nn.BatchNorm1d, vector: Tensor) -> Tensor:
    """Batch normalisation in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    standard = (vector - norm.running_mean) / torch.sqrt(norm.running_var + 1e-5)
    return standard * norm.weight + norm.bias


def slow_context_attentive(pooling: ContextAttentiveStatistics, frames: Tensor) -> Tensor:
    """ECAPA's pooling of one utterance: each frame with mean and deviation beside it."""
    context = [frames.mean(dim=0), frames.std(dim=0, correction=0)]
    scores = []
    for frame in frames:
        hidden = pooling.hidden.weight @ torch.cat([frame, *context]) + pooling.hidden.bias
        hidden = torch.tanh(slow_norm(pooling.hidden_norm, hidden.clamp(min=0)))
        scores.append(pooling.scores.weight @ hidden + pooling.scores.bias)
    exponentials = torch.exp(torch.stack(scores))  # (frames, dim): every channel has its own
    weights = exponentials / exponentials.sum(dim=0)
    mean = (weights * frames).sum(dim=0)
    variance = (weights * frames**2).sum(dim=0) - mean**2
    return slow_norm(pooling.norm, torch.cat([mean, variance.sqrt()]))


@pytest.mark.parametrize("name", POOLINGS)
def test_each_pooling_is_its_formula(name: str) -> None:
    pooling = make(name)
    features = torch.randn(3, DIM, 9) * 2 + 1
    pooled = pooling(features)
    assert pooled.shape == (3, pooling.output_dim(DIM))
    for i in range(3):
        torch.testing.assert_close(pooled[i], slow(name, pooling, features[i].T))


def test_poolings_by_hand() -> None:
    features = torch.tensor([[[1.0, 3.0, 8.0], [-2.0, -2.0, -2.0]]])
    lengths = torch.tensor([2])
    assert POOLINGS["average"](2)(features).tolist() == [[4, -2]]
    assert POOLINGS["average"](2)(features, lengths).tolist() == [[2, -2]]
    assert POOLINGS["maximum"](2)(features).tolist() == [[8, -2]]
    assert POOLINGS["maximum"](2)(features, lengths).tolist() == [[3, -2]]
    statistics = POOLINGS["statistics"](2)(features, lengths)[0].tolist()
    assert statistics == pytest.approx([2, -2, 1, VARIANCE_FLOOR**0.5])
    attentive = SelfAttentive(2)
    attentive.linear.weight.data = torch.eye(2)
    attentive.linear.bias.data.zero_()
    attentive.attention.data = torch.tensor([[1000.0], [0.0]])  # only the largest tanh counts
    assert attentive(features[:, :, :1]).tolist() == [[1, -2]]
    small = features / 10  # tanh 0.1, 0.29, 0.66
    assert attentive(small)[0].tolist() == pytest.approx([0.8, -0.2])
    assert attentive(small, lengths)[0].tolist() == pytest.approx([0.3, -0.2])


def test_a_constant_attention_weighs_all_frames_alike() -> None:
    features = torch.randn(2, DIM, 7)
    lengths = torch.tensor([7, 4])
    attentive = AttentiveStatistics(DIM)
    attentive.attention.data.zero_()
    expected = POOLINGS["statistics"](DIM)(features, lengths)
    torch.testing.assert_close(attentive(features, lengths), expected)
    weights = equal_weights(features, lengths)
    assert weights[1, 0].tolist() == [0.25] * 4 + [0] * 3


@pytest.mark.parametrize("filling", [0.0, 1e6, -1e6])
@pytest.mark.parametrize("name", POOLINGS)
def test_padding_has_no_influence(name: str, filling: float) -> None:
    pooling = make(name)
    features, lengths = torch.randn(4, DIM, 12), torch.tensor([12, 7, 1, 3])
    for i, length in enumerate(lengths):
        features[i, :, length:] = filling
    pooled = pooling(features, lengths)
    for i, length in enumerate(lengths):
        alone = pooling(features[i : i + 1, :, :length])[0]
        torch.testing.assert_close(pooled[i], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("frames", ["single", "equal"])
@pytest.mark.parametrize("name", POOLINGS)
def test_frames_without_variance_give_finite_values_and_gradients(
    name: str, frames: str, masked: bool
) -> None:
    pooling = make(name)
    features = torch.randn(2, DIM, 1).repeat(1, 1, 1 if frames == "single" else 6)
    features.requires_grad_()
    lengths = torch.ones(2, dtype=torch.long) if masked else None
    pooled = pooling(features, lengths)
    pooled.square().sum().backward()
    assert pooled.isfinite().all()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    for parameter in pooling.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("name", POOLINGS)
def test_gradients_are_those_of_the_formula(name: str) -> None:
    pooling = make(name).double()
    features = torch.randn(2, DIM, 4, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([4, 2])
    assert torch.autograd.gradcheck(lambda inputs: pooling(inputs, lengths), features)
    assert torch.autograd.gradcheck(pooling, features)
