"""Phases: what each trains, which an experiment has, and which is its last word."""

import pytest

from deep_speaker.config.phases import (
    FLOORS,
    PHASES,
    TRAINED,
    all_phases,
    final_phase,
    is_floor,
    phase_options,
    start_of,
    trained_phases,
)
from support.tiny_data import make_experiment

TINY = make_experiment()


def test_each_phase_takes_its_own_options() -> None:
    assert phase_options(TINY, "pretraining") == TINY.pretraining
    assert phase_options(TINY, "finetuning") == TINY.finetuning
    control = phase_options(TINY, "pretraining_continued")
    for key in ("loss", "chunk_frames", "speakers_per_batch", "augmentation"):
        assert getattr(control, key) == getattr(TINY.pretraining, key)
    for key in ("epochs", "steps_per_epoch", "patience", "schedule", "optimiser"):
        assert getattr(control, key) == getattr(TINY.finetuning, key)


def test_without_fine_tuning_there_is_one_phase() -> None:
    alone = make_experiment(finetuning=None)
    assert trained_phases(alone) == ("pretraining",)
    assert trained_phases(TINY) == TRAINED[:3]
    for phase in TRAINED[1:]:
        with pytest.raises(ValueError, match=f"no phase '{phase}'"):
            phase_options(alone, phase)


def test_the_control_keeps_a_margin_that_has_risen() -> None:
    loss = {"name": "aam_softmax", "margin": 0.2, "margin_from": 0.3, "margin_to": 0.6}
    control = phase_options(make_experiment(pretraining={"loss": loss}), "pretraining_continued")
    expected = loss | {"scale": 30, "margin_from": 0, "margin_to": 0, "sub_centres": 1}
    assert control.loss.model_dump() == expected


@pytest.mark.parametrize(
    ("phases", "final"),
    [
        (["statistics", "pretraining", "finetuning", "pretraining_continued"], "finetuning"),
        (["untrained", "pretraining"], "pretraining"),
        (["untrained", "distillation", "pretraining"], "pretraining"),
        (["initial_model", "distillation"], "distillation"),
        (["statistics", "initial_model"], "initial_model"),
        (["statistics", "fusion"], "fusion"),
        (["statistics"], "statistics"),
    ],
)
def test_the_final_phase(phases: list[str], final: str) -> None:
    assert final_phase(phases) == final


def test_floors() -> None:
    assert is_floor("untrained")
    assert not is_floor("initial_model")


def test_rows_are_floors_first_and_random_weights_or_imported_ones() -> None:
    assert all_phases(TRAINED, imported=False) == [*FLOORS, "distillation", *TRAINED[:3]]
    assert all_phases([], imported=True) == [*FLOORS[:2], "initial_model"]


def test_the_numbers_of_phases_that_batches_are_drawn_by_do_not_change() -> None:
    """Another order would give other batches for the same seed."""
    assert TRAINED == ("pretraining", "finetuning", "pretraining_continued", "distillation")
    assert set(TRAINED) == {phase.name for phase in PHASES.values() if phase.options}


def test_a_phase_starts_from_one_before_it_and_is_paced_by_one_of_its_stage() -> None:
    names = list(PHASES)
    for phase in PHASES.values():
        for start in phase.starts_from:
            assert names.index(start) < names.index(phase.name)
        if phase.paced_by:
            assert PHASES[phase.paced_by].stage == phase.stage


@pytest.mark.parametrize(
    ("sections", "trained"),
    [
        ({"pretraining": None}, "distillation finetuning"),
        ({"pretraining": None, "finetuning": None}, "distillation"),
        ({}, "distillation pretraining finetuning pretraining_continued"),
    ],
)
def test_distillation_comes_first_and_pre_training_may_be_left_out(
    sections: dict[str, None], trained: str
) -> None:
    """Without pre-training there is no control, which goes on with its loss."""
    experiment = make_experiment(distillation={"loss": {"name": "distillation"}}, **sections)
    phases = trained_phases(experiment)
    assert phases == tuple(trained.split())
    assert experiment.first_phase == experiment.distillation
    assert start_of("distillation", phases) is None
    assert start_of("pretraining", phases) == "distillation"
    last = "distillation" if "pretraining" in sections else "pretraining"
    assert start_of("finetuning", phases) == last
