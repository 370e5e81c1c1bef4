"""Losses that are no numbers are refused; to look for them, no step waits for a GPU.

A GPU's place is taken by torch's device `meta`, whose tensors have a shape and no values: whatever
asks for one fails.
"""

import logging
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from deep_speaker.training.setup import build_trainer
from deep_speaker.training.watch import BATCHES_BETWEEN_LOOKS, LossWatch
from support.loss_cases import CENTROIDS, CLASSIFICATION, MINED, SUMS, make_loss
from support.tiny_data import make_experiment

META = torch.device("meta")
REMEDY = "lower something"


def add(watch: LossWatch, number: int, loss: float) -> None:
    watch.add(torch.tensor(loss), f"in step {number}", [f"a-{number}", f"b-{number}"])


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_on_a_cpu_a_loss_is_refused_at_once(loss: float, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = LossWatch("pretraining", torch.device("cpu"), REMEDY)
    add(watch, 1, 0.5)
    told = rf"^pretraining: the loss is {loss} in step 2, on 2 utterances from 'a-2' on: {REMEDY}$"
    with pytest.raises(ValueError, match=told):
        add(watch, 2, loss)
    assert caplog.messages == ["utterances of that batch: a-2 b-2"]


def test_elsewhere_some_are_looked_at_together_and_the_first_bad_one_is_named() -> None:
    watch = LossWatch("pretraining", META, REMEDY)
    for number in range(2 * BATCHES_BETWEEN_LOOKS - 1):
        add(watch, number, float("nan") if number in (60, 70) else 1.0)
    with pytest.raises(ValueError, match=r" in step 60, .* 'a-60' "):
        watch.look()
    watch.look()  # nothing is left
    for number in range(BATCHES_BETWEEN_LOOKS - 1):
        add(watch, number, float("inf"))
    with pytest.raises(ValueError, match=" in step 0, "):
        add(watch, BATCHES_BETWEEN_LOOKS, 1.0)


@pytest.fixture
def autocast_of_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch take the device for one that has autocast; it is off here anyway."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


@pytest.mark.usefixtures("autocast_of_meta")
@pytest.mark.parametrize("name", CLASSIFICATION + CENTROIDS + SUMS + MINED)
def test_no_loss_asks_for_a_value(name: str) -> None:
    loss = make_loss(name, dimension=5, num_speakers=4).to(META)
    labels = torch.arange(8) // 2
    embeddings = torch.randn(8, 5, device=META, requires_grad=True)
    value, figures = loss(embeddings, labels if loss.groups_by_label else labels.to(META))
    value.backward()
    assert embeddings.grad is not None
    assert all(isinstance(figure, float) or figure.is_meta for figure in figures.values())


@pytest.mark.usefixtures("autocast_of_meta")
def test_no_step_asks_for_a_value(data_dir: Path) -> None:
    """Several batches a step, a clipped gradient and triplets among them."""
    optimiser = {"name": "sgd", "clip_norm": 1}
    loss = {"name": "triplet", "negatives": ["semi_hard"]}
    options = {"optimiser": optimiser, "loss": loss, "batches_per_step": 2}
    experiment = make_experiment(finetuning=options)
    trainer = build_trainer(experiment, "finetuning", data_dir, None, META)
    batches = trainer.draw_batches(0)[1]
    figures = trainer._step([next(batches), next(batches)], 0.5, 0.01, "here")
    assert {"loss", "violating_share"} <= figures.keys()
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        trainer.watch.look()
