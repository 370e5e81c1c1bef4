"""Checkpoints that are cut, emptied or changed: the one before takes their place, and says so."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.training.resuming import BEFORE, LAST
from support.tiny_data import make_experiment, make_frames, write_features
from support.training_runs import TINY, assert_same_runs, interrupt_step, run


@pytest.fixture(scope="module")
def stopped(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped in its second epoch, after three steps."""
    output = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_step(patch, 8)
        run(data_dir, output, checkpoint_minutes=0)
    return output.with_name("run.partial")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change_a_weight(path: Path) -> None:
    content = path.read_bytes()
    weight = load_checkpoint(path).network["affine.weight"].numpy().tobytes()
    place = content.index(weight)
    path.write_bytes(content[:place] + bytes(len(weight)) + content[place + len(weight) :])


def replace_by_others(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


DAMAGES = [cut, empty, change_a_weight, replace_by_others, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(
    damage: Callable[[Path], None],
    stopped: Path,
    data_dir: Path,
    pretrained: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    left = shutil.copytree(stopped, tmp_path / "run.partial")
    damage(left / LAST)
    run(data_dir, tmp_path / "run", resume=True)
    assert "resuming after epoch 1, step 2" in caplog.text
    assert (f"{left / LAST}: " in caplog.text) == (damage != Path.unlink)
    assert_same_runs(pretrained, tmp_path / "run")


def test_two_damaged_checkpoints_start_anew_only_when_told_to(
    stopped: Path, data_dir: Path, pretrained: Path, tmp_path: Path
) -> None:
    left = shutil.copytree(stopped, tmp_path / "run.partial")
    cut(left / LAST)
    empty(left / BEFORE)
    with pytest.raises(ValueError, match=r"run\.partial: no whole checkpoint .* --resume"):
        run(data_dir, tmp_path / "run", resume=True)
    assert (left / LAST).exists()
    run(data_dir, tmp_path / "run")
    assert_same_runs(pretrained, tmp_path / "run")


def test_going_on_with_other_data_is_refused(
    stopped: Path, pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same speakers and utterances of as many frames, one of which has changed."""
    caplog.set_level("INFO")
    frames = make_frames()
    frames["s03-2"][7, 5] += 1
    changed = write_features(tmp_path / "train", frames, TINY)
    shutil.copytree(stopped, tmp_path / "run.partial")
    with pytest.raises(ValueError, match=r"run\.partial was begun on other utterances"):
        run(changed, tmp_path / "run", resume=True)
    shutil.copytree(pretrained, tmp_path / "finished")
    run(changed, tmp_path / "finished", resume=True)
    assert "was begun on other utterances, speakers or features: training anew" in caplog.text
    assert (
        load_checkpoint(tmp_path / "finished/last.pt").data
        != load_checkpoint(pretrained / "last.pt").data
    )


def test_a_run_that_went_astray_keeps_its_last_good_checkpoint(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first epoch is harmless; its rate of learning grows beyond all bounds in the second."""
    caplog.set_level("INFO")
    schedule = {"shape": "step", "initial": 1e-30, "factor": 1, "every_epochs": 1}
    optimiser = {"name": "sgd", "momentum": 0}
    experiment = make_experiment(pretraining={"schedule": schedule, "optimiser": optimiser})
    rates = iter([1e-6] * 7)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deep_speaker.training.trainer.learning_rate", lambda *_: next(rates, 1e38))
        with pytest.raises(ValueError, match=r"^pretraining: .* epoch 2, .*step [345] of 5"):
            run(data_dir, tmp_path / "run", experiment, checkpoint_minutes=0)
    last = load_checkpoint(tmp_path / "run.partial/last.pt")
    assert last.epochs == 1
    assert last.position
    assert last.position["steps"] == 2
    assert all(weights.isfinite().all() for weights in last.network.values())
    assert f"{tmp_path / 'run.partial'} keeps the last checkpoint" in caplog.text


def test_a_frame_that_is_no_number_is_named(tmp_path: Path) -> None:
    frames = make_frames()
    frames["s03-2"][7, 5] = float("nan")
    data_dir = write_features(tmp_path / "train", frames, TINY)
    with pytest.raises(ValueError, match=r"/utt_cmvn\.scp: 's03-2' has values that are not finite"):
        run(data_dir, tmp_path / "run")
