"""Losses by hand, and their gradients against the written-out formulas in float64."""

import math

import pytest
import torch
from torch import Tensor

from deep_speaker.config import Softmax, Triplet
from deep_speaker.losses import SoftmaxLoss, TripletLoss, build_loss

LABELS = torch.tensor([0, 0, 1, 1])


def on_circle(*degrees: float) -> Tensor:
    """Vectors of different lengths; the losses on cosines must not see these."""
    angles = torch.tensor(degrees) * math.pi / 180
    lengths = torch.arange(1, len(degrees) + 1)[:, None]
    return torch.stack([angles.cos(), angles.sin()], dim=1) * lengths


def cosine(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def make_triplet_loss(**options: object) -> TripletLoss:
    return TripletLoss(Triplet.model_validate({"name": "triplet"} | options))


def make_softmax_loss(scale: float | None, dimension: int, num_speakers: int) -> SoftmaxLoss:
    return SoftmaxLoss(Softmax(name="softmax", scale=scale), dimension, num_speakers)


def test_plain_softmax_by_hand() -> None:
    loss = make_softmax_loss(None, 2, 3)
    with torch.no_grad():
        loss.classes.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]))
        assert loss.classes.bias is not None
        loss.classes.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    # Logits (3, 0, 1) and (0, 4, 1): the second is taken for speaker 1, but is speaker 2.
    value, figures = loss(torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 2]))
    first = math.log(math.exp(3) + 1 + math.exp(1)) - 3
    second = math.log(1 + math.exp(4) + math.exp(1)) - 1
    assert value.item() == pytest.approx((first + second) / 2, rel=1e-6)
    assert figures == {"accuracy": 0.5}


def test_scaled_softmax_takes_cosines() -> None:
    loss = make_softmax_loss(10, 2, 2)
    assert loss.classes.bias is None
    with torch.no_grad():
        loss.classes.weight.copy_(torch.tensor([[5.0, 0.0], [0.0, 0.1]]))
    value, figures = loss(on_circle(30, 80), torch.tensor([0, 0]))
    expected = [
        math.log(1 + math.exp(10 * (cosine(90 - angle) - cosine(angle)))) for angle in (30, 80)
    ]
    assert value.item() == pytest.approx(sum(expected) / 2, rel=1e-5)
    assert figures == {"accuracy": 0.5}


@pytest.mark.parametrize("scale", [None, 12.0])
def test_softmax_gradient_is_that_of_the_formula(scale: float | None) -> None:
    torch.manual_seed(0)
    loss = make_softmax_loss(scale, 4, 3)
    labels = torch.tensor([2, 0, 1, 1, 0])
    embeddings = torch.randn(5, 4, requires_grad=True)
    loss(embeddings, labels)[0].backward()

    def formula(inputs: Tensor, weights: Tensor, *bias: Tensor) -> Tensor:
        if scale is None:
            logits = inputs @ weights.T + bias[0]
        else:
            lengths = inputs.norm(dim=1)[:, None] * weights.norm(dim=1)
            logits = scale * (inputs @ weights.T) / lengths
        return -(logits.softmax(dim=1)[range(5), labels]).log().mean()

    parameters = [embeddings, *loss.parameters()]
    doubles = [tensor.detach().double().requires_grad_() for tensor in parameters]
    assert torch.autograd.gradcheck(formula, doubles)
    for single, gradient in zip(
        parameters, torch.autograd.grad(formula(*doubles), doubles), strict=True
    ):
        torch.testing.assert_close(single.grad, gradient.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "negatives"), [("hard", (40, 30, 30, 90)), ("semi_hard", (40, 30, 40, 90))]
)
@pytest.mark.parametrize("margin", [0, 0.1, 0.25])
def test_triplet_by_hand(kind: str, negatives: tuple[float, ...], margin: float) -> None:
    loss = make_triplet_loss(margin=margin, negatives=(kind,))
    value, figures = loss(on_circle(0, 10, 40, 100), LABELS)
    violations = [
        max(0, cosine(negative) - cosine(positive) + margin)
        for positive, negative in zip((10, 10, 60, 60), negatives, strict=True)
    ]
    assert value.item() == pytest.approx(sum(violations) / 4, abs=1e-6)
    assert figures["violating_share"] == sum(v > 0 for v in violations) / 4
    assert figures["hard_share"] == 1 / 4


def test_the_mean_cosine_tells_a_collapse() -> None:
    loss = make_triplet_loss(negatives=("hard",))
    embeddings = on_circle(0, 10, 40, 100)
    all_pairs = [cosine(a - b) for a in (0, 10, 40, 100) for b in (0, 10, 40, 100)]
    assert loss(embeddings, LABELS)[1]["mean_cosine"] == pytest.approx(sum(all_pairs) / 16)
    value, figures = loss(on_circle(33, 33, 33, 33), LABELS)
    assert figures["mean_cosine"] == pytest.approx(1)
    assert value.item() == pytest.approx(0.1)  # the loss stands at its margin
    opposite = loss(on_circle(0, 180, 0, 180), LABELS)[1]
    assert opposite["mean_cosine"] == pytest.approx(0, abs=1e-6)


def test_triplet_gradient_is_that_of_the_formula() -> None:
    torch.manual_seed(1)
    embeddings = torch.randn(4, 5, requires_grad=True)
    make_triplet_loss(margin=0.3, negatives=("hard",))(embeddings, LABELS)[0].backward()

    def formula(inputs: Tensor) -> Tensor:
        """Written out pair by pair."""
        terms = []
        for anchor, positive, others in ((0, 1, (2, 3)), (1, 0, (2, 3)), (2, 3, (0, 1)),
                                         (3, 2, (0, 1))):  # fmt: skip
            similarity = [
                inputs[anchor] @ vector / (inputs[anchor].norm() * vector.norm())
                for vector in inputs
            ]
            hardest = torch.maximum(similarity[others[0]], similarity[others[1]])
            terms.append((hardest - similarity[positive] + 0.3).clamp(min=0))
        return torch.stack(terms).mean()

    doubles = embeddings.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(formula, doubles)
    (gradient,) = torch.autograd.grad(formula(doubles), doubles)
    assert gradient.abs().max() > 0.01
    torch.testing.assert_close(embeddings.grad, gradient.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", [Triplet(name="triplet"), Softmax(name="softmax", scale=20)])
def test_losses_stay_in_float32_inside_autocast(config: Triplet | Softmax) -> None:
    loss = build_loss(config, 64, 4, seed=0)
    embeddings = torch.randn(16, 64, generator=torch.Generator().manual_seed(0)) + 3
    labels = torch.arange(16) // 4
    outside, _ = loss(embeddings, labels)
    with torch.autocast("cpu", torch.bfloat16):
        inside, _ = loss(embeddings, labels)
    assert inside.dtype == torch.float32
    assert inside.item() == pytest.approx(outside.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("progress", "negative"), [(0, 40), (0.49, 40), (0.5, 30), (0.99, 30), (1, 30)]
)
def test_kinds_of_negatives_take_equal_parts_in_turn(progress: float, negative: float) -> None:
    loss = make_triplet_loss(negatives=("semi_hard", "hard"))
    loss.progress = progress
    value, _ = loss(on_circle(0, 10, 40, 100), LABELS)
    # Of the four triplets only that of 40 and 100 violates the margin.
    assert value.item() == pytest.approx((cosine(negative) - cosine(60) + 0.1) / 4, abs=1e-6)


def test_the_seed_decides_the_weights() -> None:
    config = Softmax(name="softmax", scale=20)
    first, again, other = (build_loss(config, 4, 3, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(first["classes.weight"], again["classes.weight"])
    assert not torch.equal(first["classes.weight"], other["classes.weight"])
    assert not list(build_loss(Triplet(name="triplet"), 4, 3, 1).parameters())
