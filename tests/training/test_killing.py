"""Trainings killed again and again at any moment: they end as undisturbed ones."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.killed_training import run_until
from support.tiny_data import make_experiment
from support.training_runs import assert_same_runs, run

SHORT = {"epochs": 2, "steps_per_epoch": 3}
CASES: dict[str, dict[str, Any]] = {
    "pretraining": SHORT | {"sampling": "over", "average_epochs": 2},
    "finetuning": SHORT | {"schedule": {"shape": "plateau", "every_epochs": 1}},
}
KILLS = 15  # of a run, at most
MOMENTS = 45  # after which a kill comes at the latest; an undisturbed run has about seventy


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("phase", CASES)
def test_a_training_killed_at_random_moments_ends_as_an_undisturbed_one(
    phase: str, seed: int, data_dir: Path, tmp_path: Path
) -> None:
    """In the place of an older one, by another config."""
    experiment = make_experiment(**{phase: CASES[phase]})
    run(data_dir, tmp_path / "whole", experiment, phase)
    run(data_dir, tmp_path / "run", make_experiment(seed=1), phase)
    moments = [*np.random.default_rng(seed).integers(1, MOMENTS, KILLS), 0]
    for moment in moments:
        ended = run_until(int(moment), data_dir, tmp_path / "run", experiment, phase)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert_same_runs(tmp_path / "whole", tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "run"}
