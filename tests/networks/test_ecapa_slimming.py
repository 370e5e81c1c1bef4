"""Slimmed networks that are known beforehand: the teacher itself, and one that it repeats."""

from typing import Any

import pytest
import torch
from torch import Tensor

from deep_speaker.networks import ecapa_slimming
from deep_speaker.networks.ecapa_slimming import slim
from support.tiny_networks import BINS, make_network, with_batch_norm

SIZES: dict[str, Any] = {"channels": 16, "pooled_channels": 12}


def make_teacher(normalise: bool = False, **sizes: Any) -> Any:
    return with_batch_norm(make_network("ecapa_tdnn", normalise=normalise, **(SIZES | sizes)))


def make_student(normalise: bool = False, **sizes: int) -> Any:
    return make_network("ecapa_tdnn", normalise=normalise, seed=5, **(SIZES | sizes)).eval()


def draw_chunks(seed: int, count: int = 40, frames: int = 30) -> Tensor:
    return 2 * torch.randn(count, frames, BINS, generator=torch.Generator().manual_seed(seed))


def widen(network: Any) -> Any:
    """Return a network of twice the channels, each of which is there twice; it gives the same."""
    wide = make_network("ecapa_tdnn", **{name: 2 * size for name, size in SIZES.items()}).eval()
    state = network.state_dict()
    for name, target in wide.state_dict().items():
        tensor = state[name]
        for axis in range(tensor.dim()):
            if target.shape[axis] == 2 * tensor.shape[axis]:
                tensor = tensor.repeat_interleave(2, dim=axis) / (2 if axis == 1 else 1)
        assert tensor.shape == target.shape
        target.copy_(tensor)
    return wide


@pytest.mark.parametrize("normalise", [False, True])
@torch.no_grad()
def test_a_student_of_the_same_size_is_the_teacher(normalise: bool) -> None:
    teacher, student = make_teacher(normalise), make_student(normalise)
    slim(teacher, student, draw_chunks(0))
    new = draw_chunks(1, frames=45)
    torch.testing.assert_close(student(new), teacher(new), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_teacher_with_each_channel_twice_is_found_again_at_half_the_size() -> None:
    half, student = make_teacher(), make_student()
    teacher = widen(half)
    new = draw_chunks(1, frames=45)
    twice = half.pool(new).repeat_interleave(2, dim=1)
    torch.testing.assert_close(teacher.pool(new), twice, atol=1e-4, rtol=1e-4)
    slim(teacher, student, draw_chunks(0))
    wrong = (student.pool(new) - half.pool(new)).std(dim=0) / half.pool(new).std(dim=0)
    assert wrong.max() < 0.03


@torch.no_grad()
def test_regression_makes_good_what_the_channels_left_out_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = make_teacher(channels=32, pooled_channels=24)
    new, errors = draw_chunks(1), []
    kept = ecapa_slimming.choose_kept(teacher, make_student(), draw_chunks(0)).pooled
    wanted = teacher.pool(new)[:, torch.cat([kept, kept + 24])]
    for corrected in (True, False):
        student = make_student()
        if not corrected:
            monkeypatch.setattr(ecapa_slimming, "correct", lambda *_: None)
        slim(teacher, student, draw_chunks(0))
        errors.append((student.pool(new) - wanted).square().sum() / wanted.var(dim=0).sum())
    assert errors[0] < 0.5 * errors[1]
