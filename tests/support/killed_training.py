"""Training in a process that is killed at a moment of its own, counted and not timed.

Moments are a step of the optimiser, half of a checkpoint written, and all that changes names: files
opened to be written, renamed and removed.
"""

import io
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.training.trainer import Trainer
from support.training_runs import run

EVENTS = ("os.rename", "os.remove", "os.mkdir", "shutil.rmtree")
# Forks need not import torch again, but do not train where their parent uses a GPU.
CONTEXT: Any = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")


def run_until(moment: int, *arguments: Any) -> int:
    """Resume a training and kill it at a moment; return 0 if it ends before, or -SIGKILL."""
    process = CONTEXT.Process(target=_run_and_die, args=(moment, *arguments))
    process.start()
    process.join()
    return int(process.exitcode)


def _run_and_die(
    moment: int, data_dir: Path, output: Path, experiment: Experiment, phase: str
) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(moment)
    moments = itertools.count(1)

    def pass_moment() -> None:
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and str(arguments[1]).startswith(("w", "a"))
        if writes or event in EVENTS:
            pass_moment()

    step, save = Trainer._step, torch.save
    patch = pytest.MonkeyPatch()

    def take_step(self: Trainer, *rest: Any) -> Any:
        figures = step(self, *rest)
        pass_moment()
        return figures

    def save_in_halves(content: object, file: Any) -> None:
        buffer = io.BytesIO()
        save(content, buffer)
        for half in halves(buffer.getvalue()):
            file.write(half)
            file.flush()
            pass_moment()

    patch.setattr(Trainer, "_step", take_step)
    patch.setattr(torch, "save", save_in_halves)
    sys.addaudithook(hear)
    run(data_dir, output, experiment, phase, resume=True, checkpoint_minutes=0)


def halves(content: bytes) -> Iterator[bytes]:
    yield content[: len(content) // 2]
    yield content[len(content) // 2 :]
