"""The recorder: the best of the epochs, the mean of the last, and a collapse."""

from pathlib import Path
from typing import Any

import pytest
import torch

from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.training import setup
from deep_speaker.training.history import has_collapsed
from deep_speaker.training.judge import Judge
from deep_speaker.training.trainer import Trainer
from support.tiny_data import make_experiment
from support.training_runs import TINY, run, scripted


def test_best_is_the_later_of_the_epochs_with_the_lowest_error(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Judge, "evaluate", scripted([0.3, 0.1, 0.2, 0.1, 0.4]))
    run(data_dir, tmp_path / "run", make_experiment(pretraining={"epochs": 5}))
    best = load_checkpoint(tmp_path / "run/best.pt")
    assert best.epochs == 4
    errors = [figures["held_out_eer_percent"] for figures in best.history]
    assert errors == pytest.approx([30, 10, 20, 10])
    assert load_checkpoint(tmp_path / "run/last.pt").epochs == 5


def test_the_mean_of_the_last_weights_competes_with_the_best(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make_experiment(pretraining={"epochs": 4, "average_epochs": 2})
    states = []
    train_epoch = Trainer.train_epoch

    def noted(self: Trainer, epoch: int, *rest: Any) -> dict[str, float]:
        figures = train_epoch(self, epoch, *rest)
        states.append(self.checkpoint(epoch, []).network)
        return figures

    monkeypatch.setattr(Trainer, "train_epoch", noted)
    for mean_error, epochs in ((0.05, None), (0.2, 2)):
        states.clear()
        monkeypatch.setattr(Judge, "evaluate", scripted([0.3, 0.1, 0.2, 0.4, mean_error]))
        run(data_dir, tmp_path / "run", experiment)
        best = load_checkpoint(tmp_path / "run/best.pt").network
        for name, tensor in best.items():
            if epochs:
                expected = states[epochs - 1][name]
            elif tensor.is_floating_point():
                expected = (states[-1][name] + states[-2][name]) / 2
            else:
                expected = states[-1][name]
            assert torch.allclose(tensor, expected), name
        assert not list((tmp_path / "run").glob("epoch_*"))


@pytest.mark.parametrize(
    ("loss", "mean_cosine", "collapsed"),
    [(0.1, 0.999, True), (0.097, 0.96, True), (0.1, 0.3, False), (0.02, 0.99, False),
     (0.3, 0.99, False)],
)  # fmt: skip
def test_a_collapse_is_a_loss_at_the_margin_with_all_embeddings_alike(
    loss: float, mean_cosine: float, collapsed: bool
) -> None:
    assert has_collapsed({"loss": loss, "mean_cosine": mean_cosine}, 0.1) == collapsed


def collapse_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if "collapsed" in r.getMessage()]


def test_a_collapsed_run_says_so(
    data_dir: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network that gives one embedding for any input has no gradient to leave it."""
    build = setup.build_network

    def build_collapsed(*arguments: Any) -> torch.nn.Module:
        network = build(*arguments)
        torch.nn.init.zeros_(network.affine.weight)  # type: ignore[arg-type, union-attr]
        torch.nn.init.ones_(network.affine.bias)  # type: ignore[arg-type, union-attr]
        return network

    monkeypatch.setattr(setup, "build_network", build_collapsed)
    history = run(data_dir, tmp_path / "run", TINY, "finetuning")
    assert history[-1]["loss"] == pytest.approx(0.1, abs=1e-5)
    assert history[-1]["held_out_mean_cosine"] == pytest.approx(1, abs=1e-5)
    found = collapse_warnings(caplog)
    assert len(found) == len(history)
    assert "start from pre-trained weights" in found[0]
