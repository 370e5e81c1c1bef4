"""Classification losses by hand, and against pytorch-metric-learning."""

import math
from typing import Any

import pytest
import torch
from pytorch_metric_learning import losses as reference  # type: ignore[import-untyped]
from torch import Tensor

from deep_speaker.losses.registry import AAMSoftmaxLoss, AMSoftmaxLoss, SoftmaxLoss
from support.loss_cases import CLASSIFICATION, check_gradients, cosine, make_loss, on_circle


def set_classes(loss: Any, *degrees: float) -> None:
    with torch.no_grad():
        loss.classes.weight.copy_(on_circle(*degrees))


def cross_entropy(logits: list[float], label: int) -> float:
    return math.log(sum(map(math.exp, logits))) - logits[label]


def test_plain_softmax_by_hand() -> None:
    loss = make_loss("softmax")
    assert isinstance(loss, SoftmaxLoss)
    with torch.no_grad():
        loss.classes.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]))
        loss.classes.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    # Logits (3, 0, 1) and (0, 4, 1): the second is taken for speaker 1, but is speaker 2.
    value, figures = loss(torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 2]))
    expected = (cross_entropy([3, 0, 1], 0) + cross_entropy([0, 4, 1], 2)) / 2
    assert value.item() == pytest.approx(expected, rel=1e-6)
    assert figures == {"accuracy": 0.5}


def test_hidden_layers_are_relu_batch_norm_affine_in_turn() -> None:
    loss = make_loss("softmax", dimension=4, num_speakers=3, hidden_dims=[5, 6])
    assert isinstance(loss, SoftmaxLoss)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(8, 4, generator=generator)
    labels = torch.arange(8) % 3

    def normalise(values: Tensor) -> Tensor:
        values = values.clamp(min=0)
        mean, variance = values.mean(dim=0), values.var(dim=0, correction=0)
        return (values - mean) / (variance + 1e-3).sqrt()

    first, second = (layer for layer in loss.hidden if isinstance(layer, torch.nn.Linear))
    hidden = normalise(embeddings) @ first.weight.T + first.bias
    hidden = normalise(hidden) @ second.weight.T + second.bias
    logits = normalise(hidden) @ loss.classes.weight.T + loss.classes.bias
    assert (hidden.shape, logits.shape) == ((8, 6), (8, 3))
    value, figures = loss(embeddings, labels)
    expected = -logits.log_softmax(dim=1)[range(8), labels].mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    assert figures["accuracy"] == (logits.argmax(dim=1) == labels).float().mean()


@pytest.mark.parametrize(
    ("name", "options", "own_logits"),
    [
        ("softmax", {"scale": 10}, [10 * cosine(30), 10 * cosine(80)]),
        ("am_softmax", {"scale": 10, "margin": 0.2}, [10 * (cosine(a) - 0.2) for a in (30, 80)]),
        ("aam_softmax", {"scale": 10, "margin": math.pi / 9}, [10 * cosine(50), 10 * cosine(100)]),
    ],
)  # fmt: skip
def test_losses_on_cosines_by_hand(
    name: str, options: dict[str, Any], own_logits: list[float]
) -> None:
    loss = make_loss(name, num_speakers=2, **options)
    set_classes(loss, 0, 90)
    value, figures = loss(on_circle(30, 80), torch.tensor([0, 0]))
    expected = [
        cross_entropy([own, 10 * cosine(90 - angle)], 0)
        for own, angle in zip(own_logits, (30, 80), strict=True)
    ]
    assert value.item() == pytest.approx(sum(expected) / 2, rel=1e-5)
    assert figures == {"accuracy": 0.5}  # whatever the margin


def test_beyond_half_a_turn_the_angular_margin_goes_on_falling() -> None:
    loss = make_loss("aam_softmax", margin=0.5)
    assert isinstance(loss, AAMSoftmaxLoss)
    degrees = torch.linspace(0, 180, 721, dtype=torch.float64)
    cosines = torch.cos(degrees * math.pi / 180)
    lowered = loss.lower(cosines)
    assert (lowered.diff() < 0).all()
    turned = degrees * math.pi / 180 + 0.5 < math.pi
    sure = (degrees > 1) & turned
    expected = torch.cos(degrees * math.pi / 180 + 0.5)
    torch.testing.assert_close(lowered[sure], expected[sure])
    torch.testing.assert_close(lowered[~turned], cosines[~turned] - 0.5 * math.sin(0.5))


@pytest.mark.parametrize("name", ["am_softmax", "aam_softmax"])
@pytest.mark.parametrize("turn", [0, 180, 0.001, 179.999])
def test_margins_have_finite_gradients_at_cosine_one_and_minus_one(name: str, turn: float) -> None:
    loss = make_loss(name, num_speakers=2)
    set_classes(loss, 30, 100)
    embeddings = on_circle(30 + turn, 100 + turn).requires_grad_()
    value, _ = loss(embeddings, torch.tensor([0, 1]))
    value.backward()
    for tensor in (embeddings, *loss.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().max() < 1e4


@pytest.mark.parametrize("name", ["am_softmax", "aam_softmax"])
def test_without_a_margin_both_are_the_scaled_softmax(name: str) -> None:
    embeddings, labels = make_batch()
    plain = make_loss("softmax", 6, 5, scale=30)
    loss = make_loss(name, 6, 5, margin=0)
    loss.load_state_dict(plain.state_dict())
    assert loss(embeddings, labels)[0].item() == pytest.approx(plain(embeddings, labels)[0].item())


@pytest.mark.parametrize(
    ("progress", "margin"),
    [(0, 0), (0.2, 0), (0.3, 0.1), (0.4, 0.2), (0.6, 0.4), (0.99, 0.4), (1, 0.4)],
)
def test_the_margin_rises_with_the_progress(progress: float, margin: float) -> None:
    embeddings, labels = make_batch()
    rising = make_loss("am_softmax", 6, 5, margin=0.4, margin_from=0.2, margin_to=0.6)
    rising.progress = progress
    value, figures = rising(embeddings, labels)
    assert figures["margin"] == pytest.approx(margin)
    constant = make_loss("am_softmax", 6, 5, margin=margin)
    expected, others = constant(embeddings, labels)
    assert value.item() == pytest.approx(expected.item())
    assert "margin" not in others


@pytest.mark.parametrize(("progress", "margin"), [(0, 0), (0.49, 0), (0.5, 0.3), (1, 0.3)])
def test_a_margin_may_set_in_at_once(progress: float, margin: float) -> None:
    loss = make_loss("aam_softmax", 6, 5, margin_from=0.5, margin_to=0.5)
    loss.progress = progress
    assert loss(*make_batch())[1]["margin"] == margin


def make_batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(12, 6, generator=generator), torch.arange(12) % 5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "options", "kind", "reference_options"),
    [
        ("softmax", {"scale": 20}, "NormalizedSoftmaxLoss", {"temperature": 1 / 20}),
        ("am_softmax", {"margin": 0.35}, "CosFaceLoss", {"margin": 0.35, "scale": 30}),
        ("aam_softmax", {"margin": 0.5}, "ArcFaceLoss", {"margin": math.degrees(0.5), "scale": 30}),
        # Margins so large that some angles pass half a turn.
        ("aam_softmax", {"margin": 1.5}, "ArcFaceLoss", {"margin": math.degrees(1.5), "scale": 30}),
        (
            "aam_softmax",
            {"margin": 0.5, "sub_centres": 3},
            "SubCenterArcFaceLoss",
            {"margin": math.degrees(0.5), "scale": 30, "sub_centers": 3},
        ),
    ],
)
def test_values_and_gradients_are_those_of_pytorch_metric_learning(
    seed: int,
    name: str,
    options: dict[str, Any],
    kind: str,
    reference_options: dict[str, float],
) -> None:
    loss = make_loss(name, 6, 5, **options)
    other = getattr(reference, kind)(num_classes=5, embedding_size=6, **reference_options)
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(20, 6, generator=generator)
    labels = torch.arange(20) % 5
    with torch.no_grad():
        other.W.copy_(loss.get_parameter("classes.weight").T)
    ours, theirs = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    value, expected = loss(ours, labels)[0], other(theirs, labels)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        loss.get_parameter("classes.weight").grad, other.W.grad.T, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in CLASSIFICATION]
    + [("softmax", {"scale": 12}), ("softmax", {"hidden_dims": [4]})]
    + [("aam_softmax", {"margin": 2}), ("am_softmax", {"sub_centres": 2})],
)
def test_gradients_are_those_of_the_loss(name: str, options: dict[str, Any]) -> None:
    check_gradients(make_loss(name, 6, 5, **options), *make_batch())


def test_weights_are_drawn_by_seed_and_named_alike() -> None:
    am, aam = make_loss("am_softmax", 6, 5), make_loss("aam_softmax", 6, 5)
    assert isinstance(am, AMSoftmaxLoss)
    assert list(am.state_dict()) == list(aam.state_dict()) == ["classes.weight"]
    assert torch.equal(am.classes.weight, aam.get_parameter("classes.weight"))
