"""Interrupted runs: resumed, they end as uninterrupted ones."""

from pathlib import Path

import pytest
import torch

from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint
from deep_speaker.training import recorder
from deep_speaker.training.judge import Judge
from support.tiny_data import make_experiment
from support.training_runs import TINY, assert_same, interrupt, run, scripted


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
