"""Training: its loader, a step of each network, products of matrices. Features are random."""

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.comparison import OURS, Comparison, Side, compare
from benchmarks.limits import matmul
from deep_speaker.config import Augmentation, Experiment, read_experiment
from deep_speaker.networks.devices import keep_memory
from deep_speaker.networks.pace import Pace, Precision, use_threads
from deep_speaker.training.batches import Batch, make_batches
from deep_speaker.training.setup import build_trainer
from deep_speaker.training.trainer import Trainer
from support.tiny_data import write_features

CONF = Path(__file__).parents[2] / "conf"
SPEAKERS, UTTERANCES, FRAMES = 80, 10, 400  # of the features; of a speaker; of an utterance
LOADER_BATCHES, LOADER_ROUNDS = 50, 4  # of an epoch; epochs
CPU = torch.device("cpu")
FORK = multiprocessing.get_context("fork")  # what it is to do need not be pickled


class Case(NamedTuple):
    """A network in training, and what is aimed at.

    Attributes:
        batch: chunks of a step.
        over_float32: how many times as fast bfloat16 is to be; of_product: what share of a product.
        loading: also with the loader.
    """

    config: str
    batch: int
    over_float32: float | None = None
    of_product: float | None = None
    loading: bool = True


# By the name that a table shows.
CASES = {
    "small ResCNN": Case("embedded.yaml", 64),
    "ResCNN": Case("deep_speaker.yaml", 32, over_float32=2.0, of_product=0.85, loading=False),
    "Fast ResNet-34": Case("resnetse34l.yaml", 64, over_float32=1.9),
    "GRU": Case("deep_speaker_gru.yaml", 32, over_float32=2.5, loading=False),
}


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


def compare_all(scratch: Path) -> list[Comparison]:
    """Compare the loader with its goal, and steps of the networks by precision and by loading."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with trainer_of("embedded.yaml") as trainer:
        found = [compare_loader(trainer, number, augmented=False) for number in (1, 2)]
        found.append(compare_loader(trainer, 1, augmented=True))
    for name, case in CASES.items():
        with trainer_of(case.config, speakers_per_batch=case.batch) as trainer:
            found += _compare_steps(name, trainer, case)
    torch.set_num_threads(threads)
    return found


def compare_loader(trainer: Trainer, num_processes: int, augmented: bool) -> Comparison:
    """Make batches of chunks of 160 frames x 64 bins from warm arks, and do nothing with them.

    Args:
        augmented: as in the default experiment; else not at all.
    """
    training = trainer.training
    if not augmented:
        training = training.model_copy(update={"augmentation": Augmentation()})

    def make(number: int) -> None:
        for epoch in range(LOADER_ROUNDS):
            key = (number, epoch)
            drawn = trainer.sampler.epoch(LOADER_BATCHES, np.random.default_rng(key))
            for _ in make_batches(trainer.source, drawn, training, trainer.experiment, key):
                pass

    def run() -> None:
        others = [FORK.Process(target=make, args=(i,)) for i in range(1, num_processes)]
        for other in others:
            other.start()
        make(0)
        for other in others:
            other.join()

    amount = trainer.sampler.batch_size * LOADER_BATCHES * LOADER_ROUNDS * num_processes
    work = f"batches {'augmented' if augmented else 'alone'}, without a network"
    plural = "es" * (num_processes > 1)
    return compare(
        "2, 3", f"{work}, {num_processes} process{plural}", "chunks", {OURS: Side(run, amount)},
        goal=None if augmented else 20000.0,
    )  # fmt: skip


def _compare_steps(name: str, trainer: Trainer, case: Case) -> list[Comparison]:
    """Compare precisions, the convolutions with the machine's limit, and loading with none."""
    gflop = count_flops(trainer) / 1e9
    work = f"{name}, steps of {case.batch} x {trainer.training.chunk_frames} frames, 1 thread"
    kept = next(trainer.draw_batches(0)[1])

    def step(precision: Precision, batches: Iterator[Batch]) -> Callable[[], None]:
        def run() -> None:
            trainer.pace = Pace(precision, 1)
            trainer._step([next(batches)], 0.5, 1e-4, "in a benchmark")

        return run

    again = itertools.repeat(kept)
    by_precision = {
        OURS: Side(step("bfloat16", again), gflop),
        "float32": Side(step("float32", again), gflop, case.over_float32),
        "bfloat16 product of 4096": matmul(torch.bfloat16, case.of_product),
    }
    found = [compare("2, 3", work, "GFLOP", by_precision)]
    if case.loading:
        new = itertools.chain.from_iterable(trainer.draw_batches(i)[1] for i in itertools.count())
        by_loading = {
            OURS: Side(step("bfloat16", new), case.batch),
            "without the loader": Side(step("bfloat16", again), case.batch, 0.95),
        }
        found.append(compare("2, 3", work, "chunks", by_loading))
    return found


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


def share_waited(rounds: Sequence[Round]) -> float:
    """Return the share of rounds in which the trainer waited for batches."""
    return sum(each.waited for each in rounds) / sum(each.seconds for each in rounds)
