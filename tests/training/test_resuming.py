"""Interrupted runs: resumed, they end as uninterrupted ones."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint
from deep_speaker.training import batches, recorder
from deep_speaker.training.judge import Judge
from deep_speaker.training.samplers import SAMPLERS
from support.tiny_data import make_experiment
from support.training_runs import (
    TINY,
    assert_same,
    assert_same_runs,
    interrupt,
    interrupt_step,
    run,
    scripted,
)


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


SAMPLINGS: dict[str, dict[str, Any]] = {
    "balanced": {"schedule": {"shape": "plateau", "initial": 0.02, "every_epochs": 1}},
    "over": {"optimiser": {"name": "sgd", "momentum": 0.9}, "batches_per_step": 2},
    "under": {"average_epochs": 2, "patience": 1},
    "stratified": {"schedule": {"shape": "step", "initial": 0.02, "every_epochs": 1}},
    "pairs": {"loss": {"name": "contrastive", "negatives": ["random"]}, "fixed_batch_norm": True},
}


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_a_run_interrupted_within_epochs_equals_an_uninterrupted_one(
    sampling: str, data_dir: Path, tmp_path: Path
) -> None:
    """Twice, at steps drawn at random; the second time in the epoch of the first or later."""
    experiment = make_experiment(pretraining={"sampling": sampling} | SAMPLINGS[sampling])
    run(data_dir, tmp_path / "whole", experiment)
    rng = np.random.default_rng(list(sampling.encode()))
    for number in (int(rng.integers(1, 6)), int(rng.integers(1, 5))):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_step(patch, number)
            run(data_dir, tmp_path / "run", experiment, resume=True, checkpoint_minutes=0)
        torch.manual_seed(12345)
    run(data_dir, tmp_path / "run", experiment, resume=True)
    assert_same_runs(tmp_path / "whole", tmp_path / "run")


def test_a_resumed_epoch_repeats_no_step_and_reads_no_batch_again(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_step(patch, 8)  # of three epochs of five steps
        run(data_dir, tmp_path / "run", checkpoint_minutes=0)
    last = load_checkpoint(tmp_path / "run.partial/last.pt")
    assert last.position
    assert (last.epochs, last.position["steps"]) == (1, 3)
    made, part_of_rank = [], batches.part_of_rank

    def noted(*arguments: Any) -> slice:  # asked for each batch that is made
        made.append(1)
        return part_of_rank(*arguments)

    monkeypatch.setattr(batches, "part_of_rank", noted)
    run(data_dir, tmp_path / "run", resume=True)
    assert len(made) == 7
    assert "resuming after epoch 1, step 3" in (tmp_path / "run/train.log").read_text()


def test_a_long_epoch_is_kept_every_so_many_minutes(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look at the clock takes a minute; there is one in every step, and one in keeping."""
    minutes, kept = itertools.count(), []
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: 60 * next(minutes)))

    def noted(folder: Path, checkpoint: Checkpoint) -> None:
        kept.append(checkpoint.position["steps"] if checkpoint.position else 0)

    monkeypatch.setattr(recorder, "save_last", noted)
    experiment = make_experiment(pretraining={"epochs": 1, "steps_per_epoch": 9})
    run(data_dir, tmp_path / "run", experiment, checkpoint_minutes=3)
    assert kept == [3, 6, 0]


def test_an_interrupt_between_the_checkpoints_of_an_epoch_loses_no_best(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch is the best; Ctrl-C comes when its second file is to be written."""
    monkeypatch.setattr(Judge, "evaluate", scripted([0.1, 0.2, 0.3, 0.4]))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recorder, "save_last", raise_interrupt)
        run(data_dir, tmp_path / "run")
    assert (tmp_path / "run.partial/best.pt").is_file()
    monkeypatch.setattr(Judge, "evaluate", scripted([0.1, 0.2, 0.3, 0.4]))
    run(data_dir, tmp_path / "run", resume=True)
    assert load_checkpoint(tmp_path / "run/best.pt").epochs == 1
    board = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    assert [event.step for event in board.Scalars("pretraining/loss")] == [1, 2, 3]


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


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


def test_resuming_a_finished_run_leaves_it(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path / "run")
    before = (tmp_path / "run/last.pt").stat().st_mtime_ns
    run(data_dir, tmp_path / "run", resume=True)
    assert (tmp_path / "run/last.pt").stat().st_mtime_ns == before


def test_resuming_with_another_config_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        run(data_dir, tmp_path / "run")
    with pytest.raises(ValueError, match=r"/run\.partial .* config.*--resume"):
        run(data_dir, tmp_path / "run", make_experiment(pretraining={"epochs": 4}), resume=True)
    scoring = {"backends": ["lda"]}  # has no say in training
    run(data_dir, tmp_path / "run", make_experiment(scoring=scoring), resume=True)


def test_resuming_from_other_weights_is_refused(
    data_dir: Path, pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the run is finished, it is done anew: nothing of it is lost that was asked for."""
    caplog.set_level("INFO")
    one, other = pretrained / "best.pt", pretrained / "initial.pt"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        run(data_dir, tmp_path / "run", TINY, "finetuning", one)
    with pytest.raises(
        ValueError, match=r"/run\.partial was begun from other weights: undo that, or start anew"
    ):
        run(data_dir, tmp_path / "run", TINY, "finetuning", other, resume=True)
    run(data_dir, tmp_path / "run", TINY, "finetuning", one, resume=True)
    run(data_dir, tmp_path / "run", TINY, "finetuning", other, resume=True)
    assert "/run is finished, but was begun from other weights: training anew" in caplog.text
    begun = [load_checkpoint(path).network for path in (tmp_path / "run/initial.pt", other)]
    assert all(torch.equal(tensor, begun[1][name]) for name, tensor in begun[0].items())
