"""Trainings killed again and again at any moment: they end as undisturbed ones."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_speaker.config import Experiment
from deep_speaker.training import ranks
from deep_speaker.training.loop import train
from support.killed_training import run_until
from support.rank_processes import run_in_ranks
from support.tiny_data import make_experiment
from support.training_runs import ASKED, CPU, assert_same_runs, interrupt_step, run

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


def train_with_a_stop(data_dir: Path, folder: Path, experiment: Experiment) -> None:
    """Train without a stop, and with one in the second epoch; ranks meet before they resume."""

    def train_once(name: str, resume: bool) -> None:
        train(
            experiment, "finetuning", data_dir, folder / name, None, resume, CPU, ASKED,
            checkpoint_minutes=0,
        )  # fmt: skip
        ranks.broadcast(0)

    with ranks.start(CPU):
        train_once("whole", resume=False)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_step(patch, 5)
            train_once("run", resume=False)
        ranks.broadcast(0)
        train_once("run", resume=True)


@pytest.mark.slow
def test_ranks_resume_at_the_same_step(data_dir: Path, tmp_path: Path) -> None:
    """With random negatives, alike on all ranks, and batch normalisation of each rank's own."""
    experiment = make_experiment(finetuning=SHORT)
    folder = tmp_path / "results"
    folder.mkdir()
    run_in_ranks(partial(train_with_a_stop, data_dir, tmp_path, experiment), 2, folder)
    assert_same_runs(tmp_path / "whole", tmp_path / "run")
