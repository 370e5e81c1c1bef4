"""The training loop on tiny data: it learns, repeats, and says what goes wrong."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.training.judge import Judge
from support.tiny_data import make_experiment, make_frames, write_features
from support.training_runs import TINY, assert_same, run, scripted


@pytest.mark.slow
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
    assert history[-1]["held_out_eer_percent"] < 24
    initial = tmp_path / "pretraining/last.pt"
    tuned = run(data_dir, tmp_path / "tuned", experiment, "finetuning", initial)
    assert tuned[-1]["loss"] < 0.9 * tuned[0]["loss"] < 0.1  # the margin
    assert tuned[-1]["held_out_eer_percent"] < 24
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_finished_folder_holds_what_run_sh_needs(data_dir: Path, pretrained: Path) -> None:
    assert {path.name for path in pretrained.iterdir()} == {
        "initial.pt", "best.pt", "last.pt", "history.json", "train.log", "tensorboard",
        "made_of.json",
    }  # fmt: skip
    assert not pretrained.with_name("pretraining.partial").exists()
    assert list((pretrained / "tensorboard").glob("events*"))
    initial, last = (
        load_checkpoint(pretrained / "initial.pt"),
        load_checkpoint(pretrained / "last.pt"),
    )
    assert (initial.epochs, last.epochs) == (0, TINY.first_phase.epochs)
    assert last.history == json.loads((pretrained / "history.json").read_text())
    assert len(last.speakers) == last.loss["classes.weight"].shape[0] == 5  # 3 of 8 held out


def test_files_of_other_programs_outlive_a_network(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """But not the recipe's own, nor its x-vectors, which were of the network before."""
    output = tmp_path / "pretraining"
    for name in ("xvectors_train/plda", "xvectors_train/xvector.ark", "notes", "teachers"):
        (output / name).parent.mkdir(exist_ok=True, parents=True)
        (output / name).touch()
    run(data_dir, output, TINY)
    assert {path.name for path in output.iterdir()} == {
        "initial.pt", "best.pt", "last.pt", "history.json", "train.log", "tensorboard",
        "xvectors_train", "notes", "made_of.json",
    }  # fmt: skip
    assert [path.name for path in (output / "xvectors_train").iterdir()] == ["plda"]
    assert any("kept notes, xvectors_train/plda, " in message for message in caplog.messages)


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


def test_a_new_run_replaces_the_finished_one(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "run")
    (tmp_path / "run/teachers").touch()  # of a distillation, which this one is not
    run(data_dir, tmp_path / "run", make_experiment(seed=1))
    assert load_checkpoint(tmp_path / "run/last.pt").experiment["seed"] == 1
    assert not (tmp_path / "run/teachers").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


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
        match=r"^pretraining: .* in epoch 1, .*step 2 of 5.*: lower schedule\.initial \(1e\+30\)",
    ):
        run(data_dir, tmp_path / "run", experiment)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "network", [{"channels": [4, 4]}, {"embedding_dim": 16}, {"blocks_per_stage": 2}]
)
def test_fine_tuning_another_network_than_the_checkpoints_is_refused(
    network: dict[str, Any], data_dir: Path, pretrained: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r" network .* pretraining "):
        run(
            data_dir, tmp_path / "run", make_experiment(network=network), "finetuning",
            pretrained / "best.pt",
        )  # fmt: skip
