"""The negatives of anchors and positives: small cases by hand, any batch by brute force."""

import math

import pytest
import torch
from torch import Tensor

from deep_speaker.losses.mining import mine

KINDS = ("random", "semi_hard", "hard")


def on_circle(*degrees: float) -> Tensor:
    """Unit vectors whose cosines are those of the differences of their angles."""
    angles = torch.tensor(degrees) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def cosines(*degrees: float) -> list[float]:
    return pytest.approx([math.cos(math.radians(angle)) for angle in degrees], abs=1e-6)  # type: ignore[return-value]


def make_batch(seed: int) -> tuple[Tensor, Tensor]:
    """Random embeddings of 2 to 5 speakers with 1 to 4 utterances each, in random order."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 5, (int(torch.randint(2, 6, (1,), generator=generator)),),
                           generator=generator)  # fmt: skip
    counts[0] = max(2, int(counts[0]))  # at least one positive pair
    labels = torch.repeat_interleave(torch.arange(len(counts)) * 7, counts)
    labels = labels[torch.randperm(len(labels), generator=generator)]
    embeddings = torch.randn(len(labels), 4, generator=generator)
    return torch.nn.functional.normalize(embeddings, dim=1), labels


# Speaker 0 at 0 and 10 degrees, speaker 1 at 40 and 100.
ANGLES = (0, 10, 40, 100)
LABELS = torch.tensor([0, 0, 1, 1])


def test_hard_takes_the_most_similar_other_speaker() -> None:
    triplets = mine(on_circle(*ANGLES), LABELS, "hard")
    assert triplets.positive.tolist() == cosines(10, 10, 60, 60)
    assert triplets.negative.tolist() == cosines(40, 30, 30, 90)


def test_semi_hard_takes_the_most_similar_below_the_positive_or_else_the_least_similar() -> None:
    triplets = mine(on_circle(*ANGLES), LABELS, "semi_hard")
    assert triplets.positive.tolist() == cosines(10, 10, 60, 60)
    # The anchor at 40 has 0 and 10 degrees nearer than its positive at 100: the farther of them.
    assert triplets.negative.tolist() == cosines(40, 30, 40, 90)


def test_semi_hard_skips_harder_negatives() -> None:
    # The anchor at 0 and its positive at 30: 20 is too hard, 50 the hardest of the rest.
    triplets = mine(on_circle(0, 30, 20, 50, 80), torch.tensor([0, 0, 1, 2, 3]), "semi_hard")
    assert triplets.negative.tolist() == cosines(50, 50)  # from 30: 20 and 50 harder, 80 left


def test_a_negative_as_similar_as_the_positive_is_neither_hard_nor_semi_hard() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8], [-1.0, 0.0]])
    triplets = mine(embeddings, torch.tensor([0, 0, 1, 2]), "semi_hard")
    assert triplets.negative.tolist() == pytest.approx([-1, -0.28])
    assert triplets.hard_share == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("angles", "labels", "share"),
    [
        (ANGLES, (0, 0, 1, 1), 1 / 4),  # only 40 -> 100 has a nearer one
        ((0, 90, 45, 45), (0, 0, 1, 1), 1 / 2),
        ((0, 1, 90, 91), (0, 0, 1, 1), 0),
        ((0, 90, 1, 91), (0, 0, 1, 1), 1),
    ],
)
def test_hard_share_by_hand_whatever_is_mined(
    kind: str, angles: tuple[float, ...], labels: tuple[int, ...], share: float
) -> None:
    assert mine(on_circle(*angles), torch.tensor(labels), kind).hard_share == share


@pytest.mark.parametrize("kind", KINDS)
def test_every_batch_pairs_all_positives_with_negatives_of_other_speakers(kind: str) -> None:
    for seed in range(150):
        embeddings, labels = make_batch(seed)
        similarities = embeddings @ embeddings.T
        triplets = mine(embeddings, labels, kind)
        pairs = [
            (a, p)
            for a in range(len(labels))
            for p in range(len(labels))
            if a != p and labels[a] == labels[p]
        ]
        assert len(pairs) == len(triplets.positive) == len(triplets.negative)
        for (anchor, positive), similarity, chosen in zip(
            pairs, triplets.positive.tolist(), triplets.negative.tolist(), strict=True
        ):
            assert similarity == similarities[anchor, positive]
            others = similarities[anchor][labels != labels[anchor]].tolist()
            easier = [other for other in others if other < similarity]
            if kind == "random":
                assert chosen in others
            elif kind == "hard":
                assert chosen == max(others)
            else:
                assert chosen == (max(easier) if easier else min(others))


def test_random_draws_every_negative_about_equally_often_and_by_seed() -> None:
    embeddings = on_circle(0, 5, 60, 120, 180)
    labels = torch.tensor([0, 0, 1, 2, 3])
    torch.manual_seed(0)
    first = torch.stack([mine(embeddings, labels, "random").negative for _ in range(900)])
    torch.manual_seed(0)
    again = torch.stack([mine(embeddings, labels, "random").negative for _ in range(900)])
    assert torch.equal(first, again)
    for angle in (60, 120, 180):
        near = (first[:, 0] - math.cos(math.radians(angle))).abs() < 1e-4
        assert near.float().mean().item() == pytest.approx(1 / 3, abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_triplets_is_refused_clearly(kind: str, labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r" 3 with [13] speakers "):
        mine(on_circle(0, 10, 20), torch.tensor(labels), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_embeddings_stay_finite(kind: str) -> None:
    embeddings = torch.ones(4, 3) / math.sqrt(3)
    embeddings.requires_grad_()
    triplets = mine(embeddings, LABELS, kind)
    assert triplets.positive.tolist() == pytest.approx([1] * 4)
    assert triplets.negative.tolist() == pytest.approx([1] * 4)
    (triplets.negative - triplets.positive).sum().backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


def test_unknown_negatives_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'easy': .*random, semi_hard.* hard"):
        mine(on_circle(*ANGLES), LABELS, "easy")
