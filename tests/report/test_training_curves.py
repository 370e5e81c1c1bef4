"""Training histories: what is read of them, and where phases begin."""

import json
from pathlib import Path

import pytest

from deep_speaker.report.training_curves import read_training_curves
from support.report_experiments import write_histories


def test_later_phases_begin_at_the_end_of_the_first(tmp_path: Path) -> None:
    write_histories(tmp_path)
    (tmp_path / "untrained").mkdir()
    curves = read_training_curves(tmp_path, ["untrained", "pretraining", "finetuning"])
    assert [(curve.phase, curve.first, curve.best) for curve in curves] == [
        ("pretraining", 1, 2), ("finetuning", 5, 1)  # of two equal epochs the last is the best
    ]  # fmt: skip
    assert curves[0].figures["hard_share"] == [None] * 4
    assert curves[1].figures["hard_share"] == [0.5, 0.5]
    assert curves[1].figures["held_out_eer_percent"] == [3, 2]


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "pretraining").mkdir()
    history = [{"loss": float("nan"), "held_out_eer_percent": 50.0}, {"held_out_eer_percent": "x"}]
    (tmp_path / "pretraining/history.json").write_text(json.dumps(history))
    (curve,) = read_training_curves(tmp_path, ["pretraining"])
    assert curve.figures["loss"] == [None, None]
    assert (curve.figures["held_out_eer_percent"], curve.best) == ([50, None], 0)


@pytest.mark.parametrize("text", [b"{}", b"[1]", b"[", b"", b"\xff"])
def test_a_broken_history_is_named_and_left_out(
    text: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_histories(tmp_path)
    path = tmp_path / "finetuning/history.json"
    path.write_bytes(text)
    (curve,) = read_training_curves(tmp_path, ["pretraining", "finetuning"])
    assert curve.phase == "pretraining"
    (message,) = caplog.messages
    assert message.startswith(f"{path}: ")
    assert message.endswith("; the report goes without these curves")
    assert "\n" not in message


def test_no_epoch_is_no_curve(tmp_path: Path) -> None:
    (tmp_path / "pretraining").mkdir()
    (tmp_path / "pretraining/history.json").write_text("[]")
    assert read_training_curves(tmp_path, ["pretraining", "finetuning"]) == []
