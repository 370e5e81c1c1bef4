"""Styles of phases, and which phase is final."""

from pathlib import Path

import pytest

from deep_speaker.config.phases import FLOORS, final_phase, is_floor, xvector_dir
from deep_speaker.report.styles import backend_styles, phase_styles


def test_a_phase_looks_the_same_in_all_company() -> None:
    few, many = phase_styles(["finetuning"]), phase_styles([*FLOORS, "pretraining", "finetuning"])
    assert few["finetuning"] == many["finetuning"]
    assert len({style.colour for style in many.values()}) == len(many)


def test_other_names_get_colours_too() -> None:
    assert len({style.colour for style in phase_styles("abcdef").values()}) == 6
    assert len(set(backend_styles(map(str, range(9))).values())) == 9


@pytest.mark.parametrize(
    ("phases", "final"),
    [
        (["statistics", "pretraining", "finetuning", "pretraining_continued"], "finetuning"),
        (["untrained", "pretraining"], "pretraining"),
        (["statistics", "initial_model"], "initial_model"),
        (["statistics", "fusion"], "fusion"),
        (["statistics"], "statistics"),
    ],
)
def test_the_final_phase(phases: list[str], final: str) -> None:
    assert final_phase(phases) == final


def test_where_x_vectors_lie(tmp_path: Path) -> None:
    own = tmp_path / "initial_model/xvectors_test"
    for folder in (own, tmp_path / "pretraining/xvectors_test"):
        folder.mkdir(parents=True)
    for phase in ("finetuning", "pretraining", "fusion"):
        assert xvector_dir(tmp_path, phase) == tmp_path / "xvectors_test"
    assert xvector_dir(tmp_path, "initial_model") == own


def test_floors() -> None:
    assert is_floor("untrained")
    assert not is_floor("initial_model")
