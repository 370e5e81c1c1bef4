"""The training loop on tiny data: it learns, repeats, resumes, and says what goes wrong."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import train_network
from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint
from deep_speaker.training import recorder, setup
from deep_speaker.training.judge import Judge
from deep_speaker.training.recorder import has_collapsed
from deep_speaker.training.run import train
from deep_speaker.training.trainer import Trainer
from support.tiny_data import make_experiment, make_frames, write_experiment, write_features

CPU = torch.device("cpu")
TINY = make_experiment()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_features(tmp_path_factory.mktemp("data") / "train", make_frames(), TINY)


@pytest.fixture(scope="module")
def pretrained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished pre-training of the tiny experiment."""
    output = tmp_path_factory.mktemp("exp") / "pretraining"
    train(TINY, "pretraining", data_dir, output, None, False, CPU)
    return output


def run(
    data_dir: Path,
    output: Path,
    experiment: Experiment = TINY,
    phase: str = "pretraining",
    initial: Path | None = None,
    resume: bool = False,
) -> list[dict[str, float]]:
    """Train, and return the history."""
    train(experiment, phase, data_dir, output, initial, resume, CPU)
    history: list[dict[str, float]] = json.loads((output / "history.json").read_text())
    return history


def assert_same(first: Checkpoint, second: Checkpoint) -> None:
    """Equal bit for bit: weights, figures and optimiser."""
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


def scripted(errors: list[float]) -> Callable[..., tuple[float, float]]:
    """An evaluation that gives these equal error rates, epoch by epoch."""
    remaining = iter(errors)
    return lambda *_: (next(remaining), 0.0)


def interrupt(monkeypatch: pytest.MonkeyPatch, at_epoch: int) -> None:
    """Ctrl-C after the steps of an epoch (from 0), before its checkpoint."""
    train_epoch = Trainer.train_epoch

    def interrupted(self: Trainer, epoch: int, errors: list[float]) -> dict[str, float]:
        figures = train_epoch(self, epoch, errors)
        if epoch == at_epoch:
            raise KeyboardInterrupt
        return figures

    monkeypatch.setattr(Trainer, "train_epoch", interrupted)


# What a run does


def test_a_tiny_run_learns_without_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Here an untrained network errs at 40 % on the held-out speakers."""
    experiment = make_experiment(
        seed=2,
        held_out={"speaker_share": 0.27},
        pretraining={"epochs": 6, "steps_per_epoch": 30, "speakers_per_batch": 12},
        finetuning={
            "epochs": 3,
            "steps_per_epoch": 20,
            "speakers_per_batch": 8,
            "loss": {"name": "triplet", "negatives": ["semi_hard"]},
        },
    )
    data_dir = write_features(tmp_path / "data", make_frames(30), experiment)
    history = run(data_dir, tmp_path / "pretraining", experiment)
    assert history[-1]["loss"] < 0.4 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.5 > 0.15 > history[0]["accuracy"]
    assert history[-1]["held_out_eer_percent"] < 22
    initial = tmp_path / "pretraining/last.pt"
    tuned = run(data_dir, tmp_path / "tuned", experiment, "finetuning", initial)
    assert tuned[-1]["loss"] < 0.9 * tuned[0]["loss"] < 0.1  # the margin
    assert tuned[-1]["held_out_eer_percent"] < 22
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_finished_folder_holds_what_run_sh_needs(data_dir: Path, pretrained: Path) -> None:
    assert {path.name for path in pretrained.iterdir()} == {
        "initial.pt", "best.pt", "last.pt", "history.json", "train.log", "tensorboard"
    }  # fmt: skip
    assert not pretrained.with_name("pretraining.partial").exists()
    assert list((pretrained / "tensorboard").glob("events*"))
    initial, last = (
        load_checkpoint(pretrained / "initial.pt"),
        load_checkpoint(pretrained / "last.pt"),
    )
    assert (initial.epochs, last.epochs) == (0, TINY.pretraining.epochs)
    assert last.history == json.loads((pretrained / "history.json").read_text())
    assert len(last.speakers) == last.loss["classes.weight"].shape[0] == 5  # 3 of 8 held out


def test_two_runs_give_identical_weights(data_dir: Path, pretrained: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "again")
    for name in ("initial.pt", "best.pt", "last.pt"):
        assert_same(load_checkpoint(tmp_path / "again" / name), load_checkpoint(pretrained / name))
    run(data_dir, tmp_path / "other", make_experiment(seed=1))
    other = load_checkpoint(tmp_path / "other/last.pt")
    assert not torch.equal(
        other.network["affine.weight"],
        load_checkpoint(pretrained / "last.pt").network["affine.weight"],
    )


# Resuming


@pytest.mark.parametrize("phase", ["pretraining", "finetuning"])
@pytest.mark.parametrize("at_epoch", [0, 1, 2])
def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(
    phase: str, at_epoch: int, data_dir: Path, pretrained: Path, tmp_path: Path
) -> None:
    initial = None if phase == "pretraining" else pretrained / "best.pt"
    run(data_dir, tmp_path / "whole", TINY, phase, initial)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, at_epoch)
        run(data_dir, tmp_path / "resumed", TINY, phase, initial)
    assert not (tmp_path / "resumed").exists()
    torch.manual_seed(12345)  # another process, another random state
    run(data_dir, tmp_path / "resumed", TINY, phase, initial, resume=True)
    for name in ("initial.pt", "best.pt", "last.pt"):
        assert_same(
            load_checkpoint(tmp_path / "whole" / name), load_checkpoint(tmp_path / "resumed" / name)
        )


def test_an_interrupt_between_the_checkpoints_of_an_epoch_loses_no_best(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch is the best; Ctrl-C comes when one of its two files is written."""
    monkeypatch.setattr(Judge, "evaluate", scripted([0.1, 0.2, 0.3, 0.4]))
    save = recorder.save_checkpoint
    written = []

    def interrupted(path: Path, checkpoint: Checkpoint) -> None:
        if checkpoint.epochs == 1:
            written.append(path.name)
            if len(written) == 2:
                raise KeyboardInterrupt
        save(path, checkpoint)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recorder, "save_checkpoint", interrupted)
        run(data_dir, tmp_path / "run")
    assert sorted(written) == ["best.pt", "last.pt"]
    if not (tmp_path / "run.partial/last.pt").is_file():  # the epoch is done anew
        monkeypatch.setattr(Judge, "evaluate", scripted([0.1, 0.2, 0.3, 0.4]))
    run(data_dir, tmp_path / "run", resume=True)
    assert load_checkpoint(tmp_path / "run/best.pt").epochs == 1


def test_an_interrupted_run_leaves_the_finished_one(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data_dir, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.pt")}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        run(data_dir, tmp_path / "run", make_experiment(seed=1))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.pt")} == before
    assert load_checkpoint(tmp_path / "run.partial/last.pt").epochs == 1


def test_a_new_run_replaces_the_finished_one(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "run")
    (tmp_path / "run/stray").touch()
    run(data_dir, tmp_path / "run", make_experiment(seed=1))
    assert load_checkpoint(tmp_path / "run/last.pt").experiment["seed"] == 1
    assert not (tmp_path / "run/stray").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_resuming_a_finished_run_leaves_it(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "run")
    before = (tmp_path / "run/last.pt").stat().st_mtime_ns
    run(data_dir, tmp_path / "run", resume=True)
    assert (tmp_path / "run/last.pt").stat().st_mtime_ns == before


def test_resuming_with_another_config_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        run(data_dir, tmp_path / "run")
    with pytest.raises(ValueError, match="begun with another config"):
        run(data_dir, tmp_path / "run", make_experiment(pretraining={"epochs": 4}), resume=True)
    scoring = {"backends": ["lda"]}  # has no say in training
    run(data_dir, tmp_path / "run", make_experiment(scoring=scoring), resume=True)


# Judging by held-out speakers


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


@pytest.mark.parametrize(("patience", "epochs"), [(None, 8), (2, 5), (3, 8)])
def test_patience_counts_epochs_without_a_better_error(
    patience: int | None,
    epochs: int,
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors = [0.4, 0.5, 0.3, 0.35, 0.32, 0.2, 0.21, 0.22, 0.1]
    monkeypatch.setattr(Judge, "evaluate", scripted(errors))
    experiment = make_experiment(
        pretraining={"epochs": 8, "steps_per_epoch": 1, "patience": patience}
    )
    history = run(data_dir, tmp_path / "run", experiment)
    assert len(history) == epochs
    best = load_checkpoint(tmp_path / "run/best.pt").epochs
    assert best == (3 if patience == 2 else 6)


def test_the_mean_of_the_last_weights_competes_with_the_best(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make_experiment(pretraining={"epochs": 4, "average_epochs": 2})
    states = []
    train_epoch = Trainer.train_epoch

    def noted(self: Trainer, epoch: int, errors: list[float]) -> dict[str, float]:
        figures = train_epoch(self, epoch, errors)
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


def test_a_run_stopped_while_it_averages_ends_as_an_uninterrupted_one(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose patience is over: no further epoch, no average of what is left."""
    experiment = make_experiment(
        pretraining={"epochs": 6, "average_epochs": 3, "patience": 2, "steps_per_epoch": 1}
    )
    errors = [0.3, 0.1, 0.2, 0.25]

    def run_to_the_average(output: Path) -> None:
        monkeypatch.setattr(Judge, "evaluate", scripted([*errors, 0.05]))
        run(data_dir, output, experiment)

    run_to_the_average(tmp_path / "whole")
    unlink = Path.unlink

    def interrupted(path: Path, missing_ok: bool = False) -> None:
        if path.name == "epoch_3.pt":
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", interrupted)
        run_to_the_average(tmp_path / "stopped")
    left = {path.name for path in (tmp_path / "stopped.partial").glob("epoch_*")}
    assert "epoch_3.pt" in left
    monkeypatch.setattr(Judge, "evaluate", scripted([0.05]))
    history = run(data_dir, tmp_path / "stopped", experiment, resume=True)
    assert len(history) == 4
    for name in ("best.pt", "last.pt"):
        assert_same(
            load_checkpoint(tmp_path / "whole" / name), load_checkpoint(tmp_path / "stopped" / name)
        )


# What goes wrong


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


def test_a_loss_that_is_not_finite_stops_with_the_remedy(data_dir: Path, tmp_path: Path) -> None:
    experiment = make_experiment(
        pretraining={
            "loss": {"name": "softmax"},
            "optimiser": {"name": "sgd", "momentum": 0.9},
            "schedule": {"initial": 1e30, "final": 0},
        }
    )
    with pytest.raises(
        ValueError,
        match=r"pretraining: the loss is (nan|inf) at .*% of the steps: lower .*\(1e\+30\)",
    ):
        run(data_dir, tmp_path / "run", experiment)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "network", [{"channels": [4, 4]}, {"embedding_dim": 16}, {"blocks_per_stage": 2}]
)
def test_fine_tuning_another_network_than_the_checkpoints_is_refused(
    network: dict[str, Any], data_dir: Path, pretrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"the config's network .* is not that of the pretraining"):
        run(
            data_dir, tmp_path / "run", make_experiment(network=network), "finetuning",
            pretrained / "best.pt",
        )  # fmt: skip


def test_command_trains_a_phase(
    data_dir: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_experiment(tmp_path / "tiny.yaml", TINY)
    command = f"train_network.py --config {config} --phase pretraining --device cpu"
    monkeypatch.setattr("sys.argv", [*command.split(), str(data_dir), str(tmp_path / "run")])
    train_network.main()
    assert_same(load_checkpoint(tmp_path / "run/last.pt"), load_checkpoint(pretrained / "last.pt"))


def run_ranks(data_dir: Path, output: Path, config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, train_network.__file__, "--ranks", "2", "--device", "cpu"]
    command += ["--phase", "finetuning", "--config", str(config), str(data_dir), str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_ranks_train_together(data_dir: Path, tmp_path: Path) -> None:
    """The first rank writes; negatives come from both, so the loss sees whole batches."""
    config = write_experiment(tmp_path / "tiny.yaml", TINY)
    result = run_ranks(data_dir, tmp_path / "run", config)
    assert result.returncode == 0, result.stderr
    alone = run(data_dir, tmp_path / "alone", TINY, "finetuning")
    together = json.loads((tmp_path / "run/history.json").read_text())
    assert [figures.keys() for figures in together] == [figures.keys() for figures in alone]
    assert result.stderr.count("epoch 1/3") == 1
    assert TINY.finetuning
    best = load_checkpoint(tmp_path / "run/last.pt")
    assert best.epochs == TINY.finetuning.epochs


def test_a_mistake_of_all_ranks_is_told_once(data_dir: Path, tmp_path: Path) -> None:
    config = write_experiment(
        tmp_path / "tiny.yaml", make_experiment(finetuning={"speakers_per_batch": 3})
    )
    result = run_ranks(data_dir, tmp_path / "run", config)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert "speakers_per_batch" in errors[0]
    assert not (tmp_path / "run").exists()
