"""Every loss: its precision, degenerate batches, and that training by it separates speakers."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.losses.registry import LOSSES, carry_over
from support.loss_cases import CENTROIDS, CLASSIFICATION, MINED, SUMS, make_loss

NAMES = (*CLASSIFICATION, *CENTROIDS, *SUMS, *MINED)
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in NAMES),
    ("softmax", {"scale": 20}),
    ("softmax", {"hidden_dims": [8]}),
    ("contrastive", {"sampling": "pairs"}),
]


def test_every_loss_is_tested_here() -> None:
    assert {*NAMES, "distillation"} == set(LOSSES)  # which test_distillation.py tests


@pytest.mark.parametrize(("name", "options"), CASES)
def test_losses_stay_in_float32_inside_autocast(name: str, options: dict[str, Any]) -> None:
    loss = make_loss(name, 64, 4, **options)
    embeddings = torch.randn(16, 64, generator=torch.Generator().manual_seed(0)) + 3
    labels = torch.arange(16) // 4
    outside, _ = loss(embeddings, labels)
    with torch.autocast("cpu", torch.bfloat16):
        inside, _ = loss(embeddings, labels)
    assert inside.dtype == torch.float32
    assert inside.item() == pytest.approx(outside.item(), rel=1e-5)
    rounded, _ = loss(embeddings.bfloat16(), labels)
    assert rounded.dtype == torch.float32


def make_speakers() -> tuple[Tensor, Tensor]:
    """Six inputs each of four speakers: the speaker's own numbers, noise and a common part."""
    generator = torch.Generator().manual_seed(0)
    own = torch.randn(4, 1, 10, generator=generator)
    noise = torch.randn(4, 6, 10, generator=generator)
    inputs = 0.1 * (own + 1.5 * noise + 1)
    return inputs.flatten(0, 1), torch.arange(4).repeat_interleave(6)


def draw_pairs() -> Tensor:
    """Numbers of inputs in adjacent pairs, of one speaker and of two in turn."""
    first = torch.randint(24, (16,))
    same = first // 6 * 6 + torch.randint(6, (16,))
    different = (first + 6 + torch.randint(18, (16,)) // 6 * 6) % 24
    second = torch.where(torch.arange(16) % 2 == 0, same, different)
    return torch.stack([first, second], dim=1).flatten()


def speaker_gap(embeddings: Tensor, labels: Tensor) -> float:
    """Mean cosine within speakers minus that between them."""
    unit = F.normalize(embeddings.detach(), dim=1)
    cosines = unit @ unit.T
    same = labels[:, None] == labels
    within = cosines[same & ~torch.eye(len(labels), dtype=torch.bool)]
    return (within.mean() - cosines[~same].mean()).item()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_training_lowers_the_loss_and_pulls_speakers_apart(
    name: str, options: dict[str, Any]
) -> None:
    loss = make_loss(name, 5, 4, **options)
    inputs, labels = make_speakers()
    torch.manual_seed(1)
    network = nn.Linear(10, 5, bias=False)
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=0.03)
    before = speaker_gap(network(inputs), labels)
    values = []
    for _ in range(120):
        chosen = draw_pairs() if options.get("sampling") == "pairs" else torch.arange(24)
        value, figures = loss(network(inputs[chosen]), labels[chosen])
        assert all(math.isfinite(number) for number in figures.values())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < 0.9 * values[0]
    assert speaker_gap(network(inputs), labels) > before + 0.1


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("value", [0.0, 1.0, 1e-20, 1e4])
def test_equal_embeddings_stay_finite(name: str, options: dict[str, Any], value: float) -> None:
    loss = make_loss(name, 5, 4, **options)
    embeddings = torch.full((8, 5), value, requires_grad=True)
    result, figures = loss(embeddings, torch.arange(8) // 2)
    result.backward()
    assert embeddings.grad is not None
    for tensor in (result, embeddings.grad, *(weight.grad for weight in loss.parameters())):
        assert tensor is not None
        assert tensor.isfinite().all()
    assert all(math.isfinite(number) for number in figures.values())


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("name", ["am_softmax", "aam_softmax", "triplet", "contrastive"])
def test_a_margin_of_zero_stays_finite(name: str, value: float) -> None:
    loss = make_loss(name, 5, 4, margin=0)
    embeddings = torch.full((8, 5), value, requires_grad=True)
    result, _ = loss(embeddings, torch.arange(8) // 2)
    result.backward()
    assert embeddings.grad is not None
    assert result.isfinite()
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_speaker_is_classified_or_refused(name: str) -> None:
    loss = make_loss(name, 5, 4)
    embeddings = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.full((6,), 2)
    if name in CLASSIFICATION:
        assert loss(embeddings, labels)[0].isfinite()
    else:
        with pytest.raises(ValueError, match=" 6 with 1 speakers "):
            loss(embeddings, labels)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("softmax", {"scale": 10}), ("aam_softmax", {})),
        (("softmax", {"scale": 10}), ("am_softmax", {"margin": 0.1})),
        (("aam_softmax", {}), ("softmax", {"scale": 30})),
        (("softmax", {}), ("softmax", {})),
        (("softmax", {"hidden_dims": [8]}), ("softmax", {"hidden_dims": [8]})),
        (("ge2e", {"initial_scale": 7}), ("ge2e", {})),
        (("softmax_prototypical", {}), ("softmax_prototypical", {})),
    ],
)
def test_weights_of_the_same_meaning_are_carried_over(
    old: tuple[str, dict[str, Any]], new: tuple[str, dict[str, Any]]
) -> None:
    checkpoint = make_loss(old[0], 5, 4, **old[1])
    with torch.no_grad():
        for weight in checkpoint.parameters():
            weight.add_(1)
    loss = make_loss(new[0], 5, 4, **new[1])
    assert carry_over(loss, checkpoint.state_dict())
    for name, value in checkpoint.state_dict().items():
        assert torch.equal(loss.state_dict()[name], value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("softmax", {}), ("aam_softmax", {})),
        (("softmax", {"scale": 10}), ("softmax", {})),
        (("softmax", {"hidden_dims": [8]}), ("softmax", {"hidden_dims": [9]})),
        (("softmax", {"scale": 10}), ("triplet", {})),
        (("triplet", {}), ("softmax", {"scale": 10})),
        (("triplet", {}), ("triplet", {})),  # nothing to carry
        (("ge2e", {"initial_scale": 7}), ("angular_prototypical", {})),
        (("softmax", {}), ("softmax_prototypical", {})),
        (("softmax_prototypical", {}), ("angular_prototypical", {})),
    ],
)
def test_other_weights_are_not(
    old: tuple[str, dict[str, Any]], new: tuple[str, dict[str, Any]]
) -> None:
    checkpoint = make_loss(old[0], 5, 4, **old[1])
    loss = make_loss(new[0], 5, 4, **new[1])
    assert not carry_over(loss, checkpoint.state_dict())
    fresh = make_loss(new[0], 5, 4, **new[1]).state_dict()
    for name, value in fresh.items():
        assert torch.equal(loss.state_dict()[name], value)


def test_another_number_of_speakers_is_not_carried_over() -> None:
    assert not carry_over(make_loss("am_softmax", 5, 4), make_loss("am_softmax", 5, 3).state_dict())
