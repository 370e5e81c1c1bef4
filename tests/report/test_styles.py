"""Styles of phases and back ends."""

from deep_speaker.config.phases import FLOORS
from deep_speaker.report.styles import backend_styles, phase_styles


def test_a_phase_looks_the_same_in_all_company() -> None:
    few, many = phase_styles(["finetuning"]), phase_styles([*FLOORS, "pretraining", "finetuning"])
    assert few["finetuning"] == many["finetuning"]
    assert len({style.colour for style in many.values()}) == len(many)


def test_other_names_get_colours_too() -> None:
    assert len({style.colour for style in phase_styles("abcdef").values()}) == 6
    assert len(set(backend_styles(map(str, range(9))).values())) == 9
