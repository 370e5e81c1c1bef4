"""Centroid losses against their equations, written out utterance by utterance."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from support.loss_cases import CENTROIDS, LABELS, check_gradients, cosine, make_loss, on_circle

Grouped = list[list[list[float]]]


def dot(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def unit(vector: list[float]) -> list[float]:
    return [value / math.sqrt(dot(vector, vector)) for value in vector]


def mean(vectors: list[list[float]]) -> list[float]:
    return [sum(values) / len(vectors) for values in zip(*vectors, strict=True)]


def cross_entropy(logits: list[float], label: int) -> tuple[float, bool]:
    """Return it, and whether the label's logit is the largest."""
    loss = math.log(sum(map(math.exp, logits))) - logits[label]
    return loss, max(logits) == logits[label]


def slow_ge2e(grouped: Grouped) -> list[tuple[float, bool]]:
    """Compute equations 5, 8 and 6 of Wan et al., scale 10 and bias -5."""
    spoken = [[unit(utterance) for utterance in utterances] for utterances in grouped]
    rows = []
    for j, utterances in enumerate(spoken):
        for i, utterance in enumerate(utterances):
            logits = []
            for k, others in enumerate(spoken):
                kept = [other for m, other in enumerate(others) if (k, m) != (j, i)]
                logits.append(10 * dot(utterance, unit(mean(kept))) - 5)
            rows.append(cross_entropy(logits, j))
    return rows


def slow_prototypical(grouped: Grouped) -> list[tuple[float, bool]]:
    """Compute equations 1 and 2 of Snell et al."""
    prototypes = [mean(utterances[1:]) for utterances in grouped]
    rows = []
    for j, utterances in enumerate(grouped):
        logits = []
        for prototype in prototypes:
            away = [a - b for a, b in zip(utterances[0], prototype, strict=True)]
            logits.append(-dot(away, away))
        rows.append(cross_entropy(logits, j))
    return rows


def slow_angular_prototypical(grouped: Grouped) -> list[tuple[float, bool]]:
    """Compute equations 7 and 8 of Chung et al., scale 10 and bias -5."""
    prototypes = [unit(mean(utterances[1:])) for utterances in grouped]
    return [
        cross_entropy([10 * dot(unit(utterances[0]), other) - 5 for other in prototypes], j)
        for j, utterances in enumerate(grouped)
    ]


SLOW: dict[str, Callable[[Grouped], list[tuple[float, bool]]]] = {
    "ge2e": slow_ge2e,
    "prototypical": slow_prototypical,
    "angular_prototypical": slow_angular_prototypical,
}


def make_batch(seed: int, num_speakers: int = 4, per_speaker: int = 3) -> tuple[Tensor, Tensor]:
    """Make embeddings of speakers whose numbers do not begin at 0 and are not sorted."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_speakers * per_speaker, 5, generator=generator)
    numbers = torch.randperm(20, generator=generator)[:num_speakers]
    return embeddings, numbers.repeat_interleave(per_speaker)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(4, 3), (2, 2), (3, 5)])
@pytest.mark.parametrize("name", CENTROIDS)
def test_values_are_those_of_the_written_out_equations(
    name: str, shape: tuple[int, int], seed: int
) -> None:
    embeddings, labels = make_batch(seed, *shape)
    rows = SLOW[name](embeddings.reshape(*shape, -1).tolist())
    value, figures = make_loss(name)(embeddings, labels)
    assert value.item() == pytest.approx(sum(loss for loss, _ in rows) / len(rows), rel=1e-5)
    assert figures == {"accuracy": pytest.approx(sum(right for _, right in rows) / len(rows))}


def test_ge2e_by_hand() -> None:
    # The own centroid is the other utterance; that of the others lies between both.
    value, figures = make_loss("ge2e")(on_circle(0, 10, 40, 100), LABELS)
    logits = [(10, 70), (10, 60), (60, 35), (60, 95)]  # degrees to the own, to the other one
    losses = [math.log1p(math.exp(10 * (cosine(other) - cosine(own)))) for own, other in logits]
    assert value.item() == pytest.approx(sum(losses) / 4, rel=1e-5)
    assert figures == {"accuracy": 0.75}


def test_prototypical_by_hand() -> None:
    # Queries at 0 and 3, prototypes at 1 and (2 + 6) / 2 = 4; then the other speaker's is nearer.
    embeddings = torch.tensor([[0.0], [1.0], [1.0], [3.0], [2.0], [6.0]])
    labels = torch.tensor([7, 7, 7, 2, 2, 2])
    value, figures = make_loss("prototypical")(embeddings, labels)
    first, second = math.log1p(math.exp(1 - 16)), math.log1p(math.exp(1 - 4))
    assert value.item() == pytest.approx((first + second) / 2, rel=1e-5)
    assert figures == {"accuracy": 1}
    embeddings[3] = 0
    assert make_loss("prototypical")(embeddings, labels)[1] == {"accuracy": 0.5}


def test_prototypical_takes_large_embeddings_and_small_distances() -> None:
    embeddings = torch.tensor([[1e4], [1e4], [1e4 + 0.5], [1e4 + 0.5]])
    value, _ = make_loss("prototypical")(embeddings, LABELS)
    assert value.item() == pytest.approx(math.log1p(math.exp(-0.25)), rel=1e-5)


def test_angular_prototypical_by_hand() -> None:
    # Queries at 0 and 40 degrees, prototypes at 10 and 100.
    value, figures = make_loss("angular_prototypical", initial_scale=4, initial_bias=-1)(
        on_circle(0, 10, 40, 100), LABELS
    )
    losses = [
        math.log1p(math.exp(4 * (cosine(other) - cosine(own))))
        for own, other in ((10, 100), (60, 30))
    ]
    assert value.item() == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert figures == {"accuracy": 0.5}


@pytest.mark.parametrize("name", ["ge2e", "angular_prototypical"])
def test_the_scale_is_learned_and_stays_positive(name: str) -> None:
    loss = make_loss(name, initial_scale=3, initial_bias=2)
    assert [parameter.item() for parameter in loss.parameters()] == [3, 2]
    embeddings, labels = make_batch(0)
    loss(embeddings, labels)[0].backward()
    scale, bias = loss.parameters()
    assert scale.grad is not None
    assert scale.grad != 0
    assert bias.grad is not None  # the same for all logits, so 0
    assert bias.grad.item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        scale.fill_(-5.0)
    value, _ = loss(embeddings, labels)
    assert value.item() == pytest.approx(math.log(4), rel=1e-4)  # all speakers alike


@pytest.mark.parametrize("name", CENTROIDS)
def test_gradients_are_those_of_the_loss(name: str) -> None:
    check_gradients(make_loss(name), *make_batch(3))


@pytest.mark.parametrize("name", CENTROIDS)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0, 1], " 4 utterances of 2 speakers "),
        ([0, 0, 0, 1], " 4 utterances of 2 speakers "),
        ([0, 0, 1, 1, 1], " 5 utterances of 2 speakers "),
        ([0, 0, 1, 1, 0, 0], " 6 utterances of 2 speakers "),
        ([4, 4, 4], " 3 with 1 speakers "),
        ([0, 1, 2], " 3 with 3 speakers "),
    ],
)
def test_other_layouts_are_refused_clearly(name: str, labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(name)(torch.randn(len(labels), 5), torch.tensor(labels))
