"""Runs of the training loop on tiny data: scripted, interrupted, compared."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint
from deep_speaker.networks.pace import Asked
from deep_speaker.training.loop import train
from deep_speaker.training.recorder import CHECKPOINT_MINUTES
from deep_speaker.training.trainer import Trainer
from support.tiny_data import make_experiment

CPU = torch.device("cpu")
TINY = make_experiment()
ASKED = Asked("float32", 1)  # so that runs repeat


def run(
    data_dir: Path,
    output: Path,
    experiment: Experiment = TINY,
    phase: str = "pretraining",
    initial: Path | None = None,
    resume: bool = False,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
) -> list[dict[str, float]]:
    """Train, and return the history."""
    train(
        experiment, phase, data_dir, output, initial, resume, CPU, ASKED,
        checkpoint_minutes=checkpoint_minutes,
    )  # fmt: skip
    history: list[dict[str, float]] = json.loads((output / "history.json").read_text())
    return history


def assert_same(first: Checkpoint, second: Checkpoint) -> None:
    """Compare weights, figures and optimiser bit for bit."""
    assert first.history == second.history
    assert first.epochs == second.epochs
    for weights, others in ((first.network, second.network), (first.loss, second.loss)):
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[name], others[name]) for name in weights)
    states, others = first.optimiser["state"], second.optimiser["state"]
    assert states.keys() == others.keys()
    for key in states:
        for name, value in states[key].items():
            assert torch.equal(value, others[key][name]), (key, name)


def assert_same_runs(first: Path, second: Path) -> None:
    """Compare all that two finished runs have left, but for the times in their logs."""
    assert {path.name for path in first.iterdir()} == {path.name for path in second.iterdir()}
    for name in ("initial.pt", "best.pt", "last.pt"):
        assert_same(load_checkpoint(first / name), load_checkpoint(second / name))
    assert (first / "history.json").read_text() == (second / "history.json").read_text()


def scripted(errors: list[float]) -> Callable[..., tuple[float, float]]:
    """Return an evaluation that gives these equal error rates, epoch by epoch."""
    remaining = iter(errors)
    return lambda *_: (next(remaining), 0.0)


def interrupt(monkeypatch: pytest.MonkeyPatch, at_epoch: int) -> None:
    """Press Ctrl-C after the steps of an epoch (from 0), before its checkpoint."""
    train_epoch = Trainer.train_epoch

    def interrupted(self: Trainer, epoch: int, *rest: Any) -> dict[str, float]:
        figures = train_epoch(self, epoch, *rest)
        if epoch == at_epoch:
            raise KeyboardInterrupt
        return figures

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)


def interrupt_step(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Press Ctrl-C before a step, counted from 0 over the epochs of a run."""
    step, counted = Trainer._step, itertools.count()

    def interrupted(self: Trainer, *arguments: Any) -> Any:
        if next(counted) == number:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", interrupted)
