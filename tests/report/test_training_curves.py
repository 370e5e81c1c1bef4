"""Training histories: what is read of them, and where phases begin."""

import json
from pathlib import Path

import pytest

from deep_speaker.report.styles import phase_styles
from deep_speaker.report.training_curves import (
    TrainingCurve,
    read_training_curves,
    training_figure,
)
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
    assert "\n" not in message


def test_no_epoch_is_no_curve(tmp_path: Path) -> None:
    (tmp_path / "pretraining").mkdir()
    (tmp_path / "pretraining/history.json").write_text("[]")
    assert read_training_curves(tmp_path, ["pretraining", "finetuning"]) == []


def make_history(**figures: list[float | None]) -> TrainingCurve:
    names = ("loss", "held_out_eer_percent", "held_out_distance", "hard_share", "learning_rate")
    empty: list[float | None] = [None, None]
    return TrainingCurve("pretraining", 1, {name: figures.get(name, empty) for name in names}, 1)


@pytest.mark.parametrize(
    ("history", "titles"),
    [
        (make_history(loss=[2.0, 1.0]), ["training loss"]),
        (
            make_history(loss=[0.0, 1.0], learning_rate=[0.1, 0.0]),
            ["training loss", "learning rate"],
        ),
        (
            make_history(loss=[2.0, None], held_out_eer_percent=[5.0, 4.0], hard_share=[0.5, 0.1]),
            ["training loss", "EER of held-out speakers, %", "share of hard negatives"],
        ),
    ],
)
def test_only_figures_that_there_are_have_panels(
    history: TrainingCurve, titles: list[str], drawn: list
) -> None:
    training_figure("t", [history], phase_styles(["pretraining"]))
    visible = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in visible] == titles
    x, y = visible[0].lines[0].get_data()
    assert (list(x), y[0]) == ([1, 2], history.figures["loss"][0])
    assert visible[0].get_yscale() == ("linear" if 0.0 in history.figures["loss"] else "log")
