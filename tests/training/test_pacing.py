"""The pace of a phase: a trial that leaves no trace, and runs that keep to their choice."""

from pathlib import Path
from typing import Any

import pytest
import torch

from deep_speaker.networks import pace
from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.networks.pace import Asked, Pace
from deep_speaker.training import loop, pacing
from deep_speaker.training.pacing import make_trial, settle_pace
from deep_speaker.training.setup import build_trainer
from support.training_runs import ASKED, CPU, TINY, assert_same, interrupt


@pytest.mark.parametrize("phase", ["pretraining", "finetuning"])
def test_trial_steps_leave_training_as_if_there_had_been_none(phase: str, data_dir: Path) -> None:
    """Both steps are like those of the training: in the precision, with gradients."""
    figures, states = [], []
    for tries in (False, True):
        trainer = build_trainer(TINY, phase, data_dir, None, CPU)
        if tries:
            before = torch.get_rng_state()
            step = make_trial(trainer)
            for precision in pace.PRECISIONS:
                step(Pace(precision, 1))
            assert torch.equal(torch.get_rng_state(), before)
            assert all(each.grad is None for each in trainer.network.parameters())
            assert trainer.pace == Pace()
        figures.append([trainer.train_epoch(epoch, []) for epoch in range(2)])
        states.append(trainer.checkpoint(2, []))
    assert figures[0] == figures[1]
    assert_same(*states)


def test_a_trial_step_computes_in_its_precision(data_dir: Path) -> None:
    trainer = build_trainer(TINY, "pretraining", data_dir, None, CPU)
    step = make_trial(trainer)
    seen: list[torch.dtype] = []
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, _, output: (
            seen.append(output[0].dtype) if isinstance(module, torch.nn.Conv2d) else None
        )
    )
    for precision in pace.PRECISIONS:
        seen.clear()
        step(Pace(precision, 1))
        assert set(seen) == {getattr(torch, precision)}
    handle.remove()


def train(data_dir: Path, output: Path, asked: Asked, resume: bool = False) -> Any:
    loop.train(TINY, "pretraining", data_dir, output, None, resume, CPU, asked)
    return load_checkpoint(output / "last.pt")


def test_a_phase_keeps_to_the_pace_of_the_one_it_goes_on_from(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless that is another experiment's, which may come from another machine."""
    first = tmp_path / "a" / "pretraining"
    assert train(data_dir, first, Asked("float32", 1)).pace == {
        "precision": "float32",
        "threads": 1,
    }
    tried: list[Asked] = []

    def note(device: torch.device, asked: Asked, *rest: Any) -> tuple[Pace, str]:
        tried.append(asked)
        return Pace("float32", 1), ""

    monkeypatch.setattr(pacing, "choose_pace", note)
    for output in (tmp_path / "a" / "finetuning", tmp_path / "b" / "finetuning"):
        loop.train(TINY, "finetuning", data_dir, output, first / "best.pt", False, CPU, Asked())
    assert tried == [Asked("float32", 1), Asked()]


def test_a_resumed_run_keeps_to_the_pace_it_began_with(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a trial, which might find another one faster by now."""
    caplog.set_level("INFO")
    monkeypatch.setattr(pace, "has_bfloat16", lambda device: True)
    whole = train(data_dir, tmp_path / "whole", Asked("bfloat16", 1))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        train(data_dir, tmp_path / "resumed", Asked("bfloat16", 1))
    resumed = train(data_dir, tmp_path / "resumed", Asked(), resume=True)
    assert resumed.pace == {"precision": "bfloat16", "threads": 1}
    assert_same(whole, resumed)
    paces = [text for text in caplog.messages if "computes in" in text]
    assert paces == 3 * ["pretraining: computes in bfloat16 on 1 thread"]


def test_another_pace_of_a_resumed_run_is_taken_with_a_warning(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        train(data_dir, tmp_path / "run", ASKED)
    resumed = train(data_dir, tmp_path / "run", Asked("bfloat16"), resume=True)
    assert resumed.pace == {"precision": "bfloat16", "threads": 1}
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "began in float32 on 1 thread" in warning


def test_the_faster_pace_by_trial_trains(
    data_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    caplog.set_level("INFO")
    trainer = build_trainer(TINY, "pretraining", data_dir, None, CPU)
    chosen = settle_pace(trainer, Asked(), None)
    assert chosen in [Pace("bfloat16", 1), Pace("float32", 1)]
    (line,) = [text for text in caplog.messages if "trial" in text]
    assert line.startswith("pretraining: a trial step takes, in bfloat16 on 1 thread ")
    assert line.endswith(f"computes in {chosen}")
