"""Two ranks train, judge and go on as one process does, by the batches of one process.

Batch normalisation is synchronised: by each rank's own chunks it differs by its nature.
"""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.training import ranks
from deep_speaker.training.loop import train
from deep_speaker.training.setup import build_trainer, check_alike
from support.rank_processes import run_in_ranks
from support.tiny_data import make_experiment
from support.training_runs import ASKED, CPU, interrupt_step, run

pytestmark = pytest.mark.slow

STEPS = 20
ONE_BY_ONE = {"epochs": STEPS, "steps_per_epoch": 1, "speakers_per_batch": 4}
EVERY_CHANGE = {
    "equaliser_db": 2,
    "noise_probability": 0.5,
    "frequency_mask_bins": 3,
    "time_mask_frames": 6,
}
CASES: dict[str, dict[str, Any]] = {
    "pretraining": ONE_BY_ONE | {"batches_per_step": 2, "augmentation": EVERY_CHANGE},  # softmax
    "finetuning": ONE_BY_ONE,  # triplets: random, semi-hard and hard negatives in turn
}
STOPPED_AT = 5  # within the second of its epochs
RESUMED = make_experiment(
    pretraining={"epochs": 3, "speakers_per_batch": 4, "synchronised_batch_norm": True}
)


def losses_of_steps(data_dir: Path, phase: str, synchronised: bool = True) -> list[float]:
    """The loss of every one of twenty steps."""
    options = CASES[phase] | {"synchronised_batch_norm": synchronised}
    built = build_trainer(make_experiment(**{phase: options}), phase, data_dir, None, CPU)
    return [built.train_epoch(epoch, [])["loss"] for epoch in range(STEPS)]


def judge_own_network(data_dir: Path) -> dict[str, Any]:
    """Embeddings of the held-out speakers by a network whose statistics ranks do not share."""
    experiment = make_experiment(pretraining={"speakers_per_batch": 4})
    built = build_trainer(experiment, "pretraining", data_dir, None, CPU)
    built.train_epoch(0, [])

    def embed(together: bool = False) -> Tensor:
        return torch.from_numpy(built.judge.embed(built.network, CPU, "float32", together))

    found = {"before": embed(), "figures": built.judge_network(together=True)}
    return found | {"alone": embed(), "together": embed(together=True)}


def tell_other_data(data_dir: Path) -> str:
    """What a rank says of data that is not the first one's."""
    built = build_trainer(make_experiment(), "pretraining", data_dir, None, CPU)
    built.data = f"data of rank {ranks.rank()}"
    try:
        check_alike(built)
    except ValueError as error:
        return str(error)
    return ""


def train_with_a_stop(data_dir: Path, output: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_step(patch, STOPPED_AT + 2)
        train_on(data_dir, output, RESUMED, resume=False)


def train_on(data_dir: Path, output: Path, experiment: Experiment, resume: bool) -> None:
    train(
        experiment, "pretraining", data_dir, output, None, resume, CPU, ASKED,
        checkpoint_minutes=0,
    )  # fmt: skip


def find_everything(data_dir: Path, output: Path) -> dict[str, Any]:
    with ranks.start(CPU):
        found: dict[str, Any] = {phase: losses_of_steps(data_dir, phase) for phase in CASES}
        found["apart"] = losses_of_steps(data_dir, "pretraining", synchronised=False)
        found["other data"] = tell_other_data(data_dir)
        found["judged"] = judge_own_network(data_dir)
        train_with_a_stop(data_dir, output)
    return found


@pytest.fixture(scope="module")
def two_ranks(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], Path]:
    """What two ranks have found, each in its process, and the folder of the training they began."""
    folder = tmp_path_factory.mktemp("ranks")
    return run_in_ranks(partial(find_everything, data_dir, folder / "run"), 2, folder), folder


@pytest.mark.parametrize("phase", CASES)
def test_two_ranks_have_the_losses_of_one_process(
    phase: str, data_dir: Path, two_ranks: tuple[list[dict[str, Any]], Path]
) -> None:
    alone = losses_of_steps(data_dir, phase)
    first, second = (found[phase] for found in two_ranks[0])
    assert first == second
    assert len(set(alone)) == STEPS
    assert first == pytest.approx(alone, abs=1e-4)


def test_unless_normalised_together(
    data_dir: Path, two_ranks: tuple[list[dict[str, Any]], Path]
) -> None:
    synchronised, apart = (two_ranks[0][0][name] for name in ("pretraining", "apart"))
    assert abs(apart[0] - synchronised[0]) > 1e-2


def test_ranks_judge_together_as_the_first_one_alone(
    two_ranks: tuple[list[dict[str, Any]], Path],
) -> None:
    first, second = (found["judged"] for found in two_ranks[0])
    assert first["figures"] == second["figures"]
    assert not torch.allclose(first["before"], second["before"], atol=1e-3)
    for found in (first, second):
        assert torch.equal(found["together"], first["before"])
        assert torch.equal(found["alone"], first["before"])


def test_a_rank_with_other_data_is_refused(two_ranks: tuple[list[dict[str, Any]], Path]) -> None:
    first, second = (found["other data"] for found in two_ranks[0])
    assert first == ""
    assert second.startswith("rank 1, on ")
    assert "other data in " in second


def resume_in_ranks(data_dir: Path, output: Path) -> None:
    with ranks.start(CPU):
        train_on(data_dir, output, RESUMED, resume=True)


def test_a_training_goes_on_with_another_number_of_ranks(
    data_dir: Path, two_ranks: tuple[list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    """From within an epoch, by the batches that the first ranks would have taken."""
    begun = load_checkpoint(two_ranks[1] / "run.partial/last.pt")
    assert begun.position
    assert (begun.epochs, begun.position["steps"]) == (1, 2)
    histories = [run(data_dir, tmp_path / "whole", RESUMED)]
    for number in (1, 4):
        output = tmp_path / f"on_{number}"
        shutil.copytree(two_ranks[1] / "run.partial", tmp_path / f"on_{number}.partial")
        if number == 1:
            train_on(data_dir, output, RESUMED, resume=True)
        else:
            run_in_ranks(partial(resume_in_ranks, data_dir, output), number, tmp_path)
        histories.append(json.loads((output / "history.json").read_text()))
    whole, on_one, on_four = [[figures["loss"] for figures in history] for history in histories]
    assert len(whole) == RESUMED.first_phase.epochs
    assert on_one == pytest.approx(whole, abs=1e-4)
    assert on_four == pytest.approx(whole, abs=1e-4)
