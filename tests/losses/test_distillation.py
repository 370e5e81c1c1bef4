"""The loss of distillation, against NumPy, and that a network comes close to its teacher by it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deep_speaker.config import TeacherTraining
from deep_speaker.losses.distillation import DistillationLoss
from deep_speaker.losses.registry import build_loss, carry_over
from support.loss_cases import make_loss

LABELS = torch.tensor([0, 2, 1, 1])


def make(dimension: int = 6, teacher_dim: int = 6, **options: Any) -> DistillationLoss:
    training = TeacherTraining.model_validate({"loss": {"name": "distillation"} | options})
    loss = build_loss(training, dimension, 3, 0, teacher_dim)
    assert isinstance(loss, DistillationLoss)
    return loss


def draw(dimension: int, seed: int, unit: bool) -> Tensor:
    values = np.random.default_rng(seed).normal(0, 2, (4, dimension))
    if unit:
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    return torch.from_numpy(values)


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / lengths


@pytest.mark.parametrize("distance", ["cosine", "squared"])
@pytest.mark.parametrize("teacher_dim", [6, 4])
def test_distances_are_those_of_the_papers(distance: str, teacher_dim: int) -> None:
    loss = make(teacher_dim=teacher_dim, distance=distance).double()
    embeddings, targets = draw(6, 0, False), draw(teacher_dim, 1, True)
    value, figures = loss(embeddings, LABELS, targets)
    compared = embeddings.numpy()
    if teacher_dim != 6:
        assert loss.projection is not None
        unit = compared / np.linalg.norm(compared, axis=1, keepdims=True)
        weight, bias = (each.detach().numpy() for each in loss.projection.parameters())
        compared = unit @ weight.T + bias
    cosine = cosines(compared, targets.numpy()).mean()
    squared = ((compared - targets.numpy()) ** 2).sum(axis=1).mean()
    assert value.item() == pytest.approx(1 - cosine if distance == "cosine" else squared, rel=1e-9)
    assert figures == {"teacher_cosine": pytest.approx(cosine, rel=1e-9)}
    found = loss.distance(embeddings.numpy(), targets.numpy())
    assert found == pytest.approx(1 - cosine, rel=1e-9)


def test_a_classification_is_added_times_its_weight() -> None:
    classification = {"name": "aam_softmax", "margin_to": 1}
    loss = make(classification=classification, classification_weight=0.3)
    alone = make_loss("aam_softmax", 6, 3, margin_to=1)
    assert loss.classification is not None
    alone.load_state_dict(loss.classification.state_dict())
    embeddings, targets = draw(6, 0, False).float(), draw(6, 1, True).float()
    alone.progress = loss.progress = 0.5  # the margin has risen half way
    value, figures = loss(embeddings, LABELS, targets)
    of_speakers, logged = alone(embeddings, LABELS)
    distance = 1 - cosines(embeddings.numpy(), targets.numpy()).mean()
    assert value.item() == pytest.approx(distance + 0.3 * of_speakers.item(), rel=1e-5)
    assert logged.items() <= figures.items()
    assert figures["margin"] == pytest.approx(0.15)


def test_float32_inside_autocast() -> None:
    loss = make(teacher_dim=4)
    embeddings, targets = draw(6, 0, False).float(), draw(4, 1, True).float()
    outside, _ = loss(embeddings, LABELS, targets)
    with torch.autocast("cpu", torch.bfloat16):
        inside, _ = loss(embeddings, LABELS, targets)
    assert inside.dtype == torch.float32
    assert inside.item() == outside.item()


@pytest.mark.parametrize(
    ("distance", "teacher_dim"), [("cosine", 5), ("squared", 5), ("cosine", 3), ("squared", 3)]
)
def test_training_comes_close_to_the_teacher(distance: str, teacher_dim: int) -> None:
    """Which is another network of the same inputs; by squared distances also in length."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 5)
    teacher = nn.Linear(5, teacher_dim)
    targets = nn.functional.normalize(teacher(inputs), dim=1).detach()
    student = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 5))
    loss = make(5, teacher_dim, distance=distance)
    optimiser = torch.optim.Adam([*student.parameters(), *loss.parameters()], lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        value, figures = loss(student(inputs), torch.zeros(64, dtype=torch.long), targets)
        value.backward()
        optimiser.step()
    assert figures["teacher_cosine"] > 0.98
    if distance == "squared" and teacher_dim == 5:
        assert student(inputs).norm(dim=1).detach().numpy() == pytest.approx(1, abs=0.3)


def test_another_phase_takes_no_weights_of_it() -> None:
    checkpoint = make(teacher_dim=4, classification={"name": "softmax", "scale": 20})
    assert not carry_over(make_loss("softmax", 6, 3, scale=20), checkpoint.state_dict())
