"""Stages that are killed at random moments, and run again; tests/faults.py does hundreds."""

import random
import shutil
from pathlib import Path

import pytest

from support.killing import Undisturbed, digest_files
from support.recipe import REPEATABLE_TINY, Recipe

OPTIONS = (*REPEATABLE_TINY, "--set", "finetuning=null")
STAGES, KILLS = (0, 1, 2, 4, 5, 6), 1  # stage 3 has nothing to do


@pytest.mark.slow
def test_killed_stages_leave_nothing_half_and_end_as_those_of_one_run(tmp_path: Path) -> None:
    """Of one phase: steps and epochs are killed in tests/training."""
    (tmp_path / "recipe").mkdir()
    recipe = Recipe(tmp_path / "recipe", tiny=True)
    alone = Undisturbed(recipe, OPTIONS)
    rng = random.Random(0)
    kills = [alone.kill(stage, rng, KILLS) for stage in STAGES]
    assert [fault for kill in kills for fault in kill.faults] == []
    assert not all(kill.ended for kill in kills)
    for top in ("data", "exp"):
        shutil.rmtree(recipe.folder / top)
    recipe.run(*OPTIONS)
    assert digest_files(recipe.folder) == alone.files
