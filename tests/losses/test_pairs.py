"""Losses of pairs and triplets by hand, and against pytorch-metric-learning."""

import math

import pytest
import torch
from pytorch_metric_learning import distances, reducers  # type: ignore[import-untyped]
from pytorch_metric_learning import losses as reference
from torch import Tensor

from support.loss_cases import (
    LABELS,
    MINED,
    check_gradients,
    cosine,
    make_loss,
    on_circle,
    unit_distance,
)

ANGLES = (0, 10, 40, 100)
POSITIVES = (10, 10, 60, 60)  # degrees from each anchor to its positive
NEGATIVES = {"hard": (40, 30, 30, 90), "semi_hard": (40, 30, 40, 90)}


def make_batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor([3, 3, 3, 0, 0, 5, 5, 5])
    return torch.randn(len(labels), 5, generator=generator), labels


def hard_triplets(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of anchors, positives and their hardest negatives, found one by one."""
    found = []
    for anchor, vector in enumerate(embeddings):
        likeness = torch.cosine_similarity(vector[None], embeddings)
        others = [i for i in range(len(labels)) if labels[i] != labels[anchor]]
        hardest = max(others, key=lambda i, likeness=likeness: float(likeness[i]))  # type: ignore[misc]
        for positive in range(len(labels)):
            if positive != anchor and labels[positive] == labels[anchor]:
                found.append((anchor, positive, hardest))
    anchors, positives, negatives = torch.tensor(found).T
    return anchors, positives, negatives


@pytest.mark.parametrize("kind", NEGATIVES)
@pytest.mark.parametrize("margin", [0, 0.1, 0.25])
def test_triplet_by_hand(kind: str, margin: float) -> None:
    loss = make_loss("triplet", margin=margin, negatives=[kind])
    value, figures = loss(on_circle(*ANGLES), LABELS)
    violations = [
        max(0, cosine(negative) - cosine(positive) + margin)
        for positive, negative in zip(POSITIVES, NEGATIVES[kind], strict=True)
    ]
    assert value.item() == pytest.approx(sum(violations) / 4, abs=1e-6)
    assert figures["violating_share"] == sum(v > 0 for v in violations) / 4
    assert figures["hard_share"] == 1 / 4


@pytest.mark.parametrize("kind", NEGATIVES)
def test_lossless_triplet_by_hand(kind: str) -> None:
    loss = make_loss("lossless_triplet", negatives=[kind], epsilon=0.01)
    value, figures = loss(on_circle(*ANGLES), LABELS)
    expected = 0.0
    for positive, negative in zip(POSITIVES, NEGATIVES[kind], strict=True):
        near, far = unit_distance(positive) ** 2, unit_distance(negative) ** 2
        expected -= math.log(1 - near / 4 + 0.01) + math.log(1 - (4 - far) / 4 + 0.01)
    assert value.item() == pytest.approx(expected / 4, rel=1e-5)
    assert figures["hard_share"] == 1 / 4
    assert figures["violating_share"] == sum(
        negative < positive for positive, negative in zip(POSITIVES, NEGATIVES[kind], strict=True)
    ) / 4  # fmt: skip


def test_lossless_triplet_vanishes_for_equal_positives_and_opposite_negatives() -> None:
    value, _ = make_loss("lossless_triplet")(on_circle(30, 30, 210, 210), LABELS)
    assert value.item() == pytest.approx(0, abs=1e-6)


def test_lossless_triplet_pulls_where_the_margin_has_gone_silent() -> None:
    for name, silent in (("triplet", True), ("lossless_triplet", False)):
        embeddings = on_circle(0, 5, 120, 125).requires_grad_()
        make_loss(name)(embeddings, LABELS)[0].backward()
        assert embeddings.grad is not None
        assert (embeddings.grad == 0).all() == silent


@pytest.mark.parametrize("kind", NEGATIVES)
@pytest.mark.parametrize("margin", [0, 0.6, 1])
def test_mined_contrastive_by_hand(kind: str, margin: float) -> None:
    loss = make_loss("contrastive", negatives=[kind], margin=margin)
    value, figures = loss(on_circle(*ANGLES), LABELS)
    gaps = [max(0, margin - unit_distance(angle)) for angle in NEGATIVES[kind]]
    expected = [
        unit_distance(positive) ** 2 / 2 + gap**2 / 2
        for positive, gap in zip(POSITIVES, gaps, strict=True)
    ]
    assert value.item() == pytest.approx(sum(expected) / 4, rel=1e-5)
    assert figures["violating_share"] == sum(gap > 0 for gap in gaps) / 4
    assert figures["hard_share"] == 1 / 4


def test_contrastive_of_adjacent_pairs_by_hand() -> None:
    loss = make_loss("contrastive", sampling="pairs")
    # The same speaker 20 degrees apart; two speakers 50, and 170 degrees apart.
    labels = torch.tensor([4, 4, 4, 1, 2, 0])
    value, figures = loss(on_circle(0, 20, 0, 50, 10, 180), labels)
    expected = unit_distance(20) ** 2 / 2 + (1 - unit_distance(50)) ** 2 / 2
    assert value.item() == pytest.approx(expected / 3, rel=1e-5)
    assert figures["violating_share"] == 1 / 2
    assert set(figures) == {"violating_share", "mean_cosine"}


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 2, 3]])
def test_adjacent_pairs_of_one_kind_alone_stay_finite(labels: list[int]) -> None:
    loss = make_loss("contrastive", sampling="pairs")
    value, figures = loss(on_circle(*ANGLES), torch.tensor(labels))
    assert all(math.isfinite(number) for number in (value.item(), *figures.values()))


@pytest.mark.parametrize("count", [0, 3])
def test_what_does_not_divide_into_pairs_is_refused(count: int) -> None:
    loss = make_loss("contrastive", sampling="pairs")
    with pytest.raises(ValueError, match=f" {count} .* pairs"):
        loss(torch.zeros(count, 2), torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize("sampling", ["balanced", "pairs"])
def test_contrastive_gradients_are_finite_at_distance_zero(sampling: str) -> None:
    loss = make_loss("contrastive", sampling=sampling, negatives=["hard"])
    embeddings = on_circle(0, 0, 0, 0, 30, 30, 30, 30).requires_grad_()
    loss(embeddings, torch.tensor([0, 0, 0, 1, 2, 2, 2, 3]))[0].backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert embeddings.grad.abs().max() < 10


@pytest.mark.parametrize("seed", range(8))
def test_triplet_is_that_of_pytorch_metric_learning(seed: int) -> None:
    embeddings, labels = make_batch(seed)
    other = reference.TripletMarginLoss(
        0.3, distance=distances.CosineSimilarity(), reducer=reducers.MeanReducer()
    )
    ours, theirs = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    value = make_loss("triplet", margin=0.3, negatives=["hard"])(ours, labels)[0]
    expected = other(theirs, labels, hard_triplets(embeddings, labels))
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_contrastive_has_the_distances_of_pytorch_metric_learning(seed: int) -> None:
    """The reference leaves out the squares of Hadsell et al.: here they are taken of its terms."""
    embeddings, labels = make_batch(seed)
    other = reference.ContrastiveLoss(
        neg_margin=1.2,
        distance=distances.LpDistance(normalize_embeddings=True),
        reducer=reducers.DoNothingReducer(),
    )
    anchors, positives, negatives = hard_triplets(embeddings, labels)
    terms = other(embeddings, labels, (anchors, positives, anchors, negatives))
    expected = sum(terms[kind]["losses"].square().mean() / 2 for kind in ("pos_loss", "neg_loss"))
    loss = make_loss("contrastive", margin=1.2, negatives=["hard"])
    assert loss(embeddings, labels)[0].item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("negatives", ["hard", "semi_hard"])
@pytest.mark.parametrize("name", MINED)
def test_gradients_are_those_of_the_loss(name: str, negatives: str) -> None:
    check_gradients(make_loss(name, negatives=[negatives]), *make_batch(2))


def test_gradients_of_adjacent_pairs() -> None:
    loss = make_loss("contrastive", sampling="pairs")
    check_gradients(loss, *make_batch(2))


@pytest.mark.parametrize("name", MINED)
def test_the_mean_cosine_tells_a_collapse(name: str) -> None:
    loss = make_loss(name, negatives=["hard"])
    all_pairs = [cosine(a - b) for a in ANGLES for b in ANGLES]
    figures = loss(on_circle(*ANGLES), LABELS)[1]
    assert figures["mean_cosine"] == pytest.approx(sum(all_pairs) / 16)
    assert loss(on_circle(33, 33, 33, 33), LABELS)[1]["mean_cosine"] == pytest.approx(1)
    opposite = loss(on_circle(0, 180, 0, 180), LABELS)[1]
    assert opposite["mean_cosine"] == pytest.approx(0, abs=1e-6)


def test_a_collapsed_triplet_loss_stands_at_its_margin() -> None:
    value, _ = make_loss("triplet")(on_circle(33, 33, 33, 33), LABELS)
    assert value.item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("progress", "negative"), [(0, 40), (0.49, 40), (0.5, 30), (0.99, 30), (1, 30)]
)
def test_kinds_of_negatives_take_equal_parts_in_turn(progress: float, negative: float) -> None:
    loss = make_loss("triplet", negatives=["semi_hard", "hard"])
    loss.progress = progress
    value, _ = loss(on_circle(*ANGLES), LABELS)
    # Of the four triplets only that of 40 and 100 violates the margin.
    assert value.item() == pytest.approx((cosine(negative) - cosine(60) + 0.1) / 4, abs=1e-6)
