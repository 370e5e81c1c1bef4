"""How fast this recipe trains: its loader, a step of each network, products of matrices.

Every function returns seconds, one number for each round; none prints. Features are random numbers.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from deep_speaker.config import Augmentation, Experiment, read_experiment
from deep_speaker.networks.devices import keep_memory
from deep_speaker.networks.pace import Pace, use_threads
from deep_speaker.system.processes import map_in_processes
from deep_speaker.training.batches import Batch, make_batches
from deep_speaker.training.setup import build_trainer
from deep_speaker.training.trainer import Trainer
from support.tiny_data import write_features

CONF = Path(__file__).parents[2] / "conf"
# By the name that a table shows, the experiment that trains it.
NETWORKS = {
    "small ResCNN": "embedded.yaml",
    "ResCNN": "deep_speaker.yaml",
    "GRU": "deep_speaker_gru.yaml",
    "Fast ResNet-34": "resnetse34l.yaml",
}
SPEAKERS, UTTERANCES, FRAMES = 80, 10, 400  # of the features; of a speaker; of an utterance
LOADER_BATCHES = 50  # of a round
SIDE = 4096  # of square matrices
CPU = torch.device("cpu")


class Round(NamedTuple):
    """Seconds of some steps, and of these the seconds that the trainer waited for batches."""

    seconds: float
    waited: float


@contextmanager
def trainer_of(
    config: str, device: torch.device = CPU, speakers_per_batch: int | None = None
) -> Iterator[Trainer]:
    """Build the trainer of an experiment's first phase, on random features.

    Args:
        config: a file of conf/.
        speakers_per_batch: in place of the experiment's, where that is too much for the machine.
    """
    keep_memory()
    experiment = read_experiment(CONF / config)
    phase = "pretraining"
    if speakers_per_batch:
        changes = {"speakers_per_batch": speakers_per_batch}
        training = experiment.first_phase.model_copy(update=changes)
        experiment = experiment.model_copy(update={phase: training})
    with TemporaryDirectory() as folder:
        data_dir = write_features(Path(folder) / "train", random_frames(experiment), experiment)
        yield build_trainer(experiment, phase, data_dir, None, device)


def random_frames(experiment: Experiment) -> dict[str, np.ndarray]:
    """Draw the frames of every utterance."""
    rng = np.random.default_rng(0)
    shape = (FRAMES, experiment.features.num_bins)
    names = itertools.product(range(SPEAKERS), range(UTTERANCES))
    return {f"s{i:02}-{j}": rng.standard_normal(shape, dtype=np.float32) for i, j in names}


def time_loader(
    num_processes: int = 1, num_rounds: int = 5, augmented: bool = False
) -> list[float]:
    """Return the seconds of a chunk of 160 frames x 64 bins, without a network, from warm arks.

    Args:
        num_processes: that load at once; the seconds are each one's, the mean of all.
        augmented: as in the default experiment; else not at all.
    """
    task = partial(_time_loader, num_rounds, augmented)
    of_processes = map_in_processes(task, range(num_processes), num_processes)
    return np.mean(list(of_processes), axis=0).tolist()


def _time_loader(num_rounds: int, augmented: bool, _: int) -> list[float]:
    with trainer_of("embedded.yaml") as trainer:
        training = trainer.training
        if not augmented:
            training = training.model_copy(update={"augmentation": Augmentation()})
        seconds = []
        for number in range(num_rounds + 1):
            key = (0, number)
            drawn = trainer.sampler.epoch(LOADER_BATCHES, np.random.default_rng(key))
            start = time.perf_counter()
            made = make_batches(trainer.source, drawn, training, trainer.experiment, key)
            chunks = sum(len(batch.chunks) for batch in made)
            seconds.append((time.perf_counter() - start) / chunks)
    return seconds[1:]


def time_steps(
    trainer: Trainer, pace: Pace, num_rounds: int = 5, num_steps: int = 4, loading: bool = True
) -> list[Round]:
    """Return the time of rounds of so many steps, after one that warms up.

    Args:
        loading: take new batches, which a thread makes; else one batch again and again.
    """
    use_threads(pace)
    trainer.pace = pace
    trainer.network.train()
    epochs = (trainer.draw_batches(epoch)[1] for epoch in itertools.count())
    batches: Iterator[Batch] = itertools.chain.from_iterable(epochs)
    if not loading:
        batches = itertools.repeat(next(batches))
    rounds = [_time_round(trainer, batches, num_steps) for _ in range(num_rounds + 1)]
    return rounds[1:]


def _time_round(trainer: Trainer, batches: Iterator[Batch], num_steps: int) -> Round:
    waited = 0.0
    start = time.perf_counter()
    for _ in range(num_steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        trainer._step([batch], 0.5, 1e-4, "in a benchmark")
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)
    return Round(time.perf_counter() - start, waited)


def count_flops(trainer: Trainer) -> int:
    """Count the operations of the convolutions and products of a step."""
    batch = next(trainer.draw_batches(0)[1])
    with FlopCounterMode(display=False) as counter:
        trainer.compute_loss(batch)[0].backward()
    return counter.get_total_flops()


def time_product(pace: Pace, num_rounds: int = 5, side: int = SIDE) -> list[float]:
    """Return the seconds of a product of square matrices, of 2 * side ** 3 operations."""
    use_threads(pace)
    kind = torch.bfloat16 if pace.precision == "bfloat16" else torch.float32
    matrix = torch.randn(side, side).to(kind)
    seconds = []
    for _ in range(num_rounds + 1):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def share_waited(rounds: Sequence[Round]) -> float:
    """Return the share of rounds in which the trainer waited for batches."""
    return sum(each.waited for each in rounds) / sum(each.seconds for each in rounds)
