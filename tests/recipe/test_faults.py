"""Stages that are killed at random moments, and run again; tests/faults.py does hundreds."""

import random
from pathlib import Path

import pytest

from support.killing import Undisturbed
from support.recipe import REPEATABLE_TINY, Recipe

OPTIONS = (*REPEATABLE_TINY, "--set", "finetuning=null")
STAGES = (0, 1, 4)  # those that write most files


@pytest.mark.slow
def test_killed_stages_leave_nothing_half_and_end_as_undisturbed_ones(tmp_path: Path) -> None:
    """Of one phase: steps and epochs are killed in tests/training."""
    (tmp_path / "recipe").mkdir()
    recipe = Recipe(tmp_path / "recipe", tiny=True)
    alone = Undisturbed(recipe, OPTIONS)
    rng = random.Random(0)
    kills = [alone.kill(stage, rng) for stage in STAGES]
    assert [fault for kill in kills for fault in kill.faults] == []
    assert not all(kill.ended for kill in kills)
