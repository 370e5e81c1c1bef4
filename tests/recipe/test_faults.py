"""Stages that are killed at random moments, and run again; tests/faults.py does hundreds."""

import random
from pathlib import Path

import pytest

from support.killing import Undisturbed
from support.recipe import REPEATABLE_TINY, Recipe

KILLS = 12


@pytest.mark.slow
def test_a_killed_stage_leaves_nothing_half_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """Of one phase: an epoch of the other is killed in tests/training."""
    (tmp_path / "recipe").mkdir()
    recipe = Recipe(tmp_path / "recipe", tiny=True)
    undisturbed = Undisturbed(recipe, (*REPEATABLE_TINY, "--set", "finetuning=null"))
    rng = random.Random(0)
    kills = [undisturbed.kill(rng) for _ in range(KILLS)]
    assert [fault for kill in kills for fault in kill.faults] == []
    assert sum(not kill.ended for kill in kills) > KILLS // 2
