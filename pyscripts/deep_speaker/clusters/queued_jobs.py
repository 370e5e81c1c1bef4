"""Jobs of Kaldi's run.pl, queue.pl, slurm.pl and others that are called alike:

    queue.pl --mem 4G JOB=1:8 log/compute_features.1.JOB.log run_jobs.py <folder> 8 JOB

Items and outputs pass through pickles in a folder that all machines see. Each job takes every
eighth of the items that have no output yet. Items of jobs that failed go to jobs of another round.
"""

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from deep_speaker.clusters.calls import TRIES, Call, Outcome
from deep_speaker.clusters.pickles import read_pickle, write_pickle
from deep_speaker.system.command import LOG_VARIABLE
from deep_speaker.system.files import RECIPE, replacing_file, scratch_directory

Item = TypeVar("Item")
Output = TypeVar("Output")
JOB = "JOB"  # its number, in place of this word
PROGRAM = RECIPE / "pyscripts/run_jobs.py"
IN_KALDI = "egs/wsj/s5/utils/parallel"


class QueuedJobs:
    """A cluster by way of a script that waits for the jobs it starts."""

    def __init__(self, command: str, num_jobs: int, name: str) -> None:
        """Start nothing yet.

        Args:
            command: the script and its options.
            name: of the logs, beside those of the stage, or in log/.
        """
        self._command, self._num_jobs = [find_script(command), *shlex.split(command)[1:]], num_jobs
        stage_log = os.environ.get(LOG_VARIABLE)
        self._place = Path(f"{stage_log}.{name}" if stage_log else f"log/{name}").absolute()
        self._rounds = 0
        for path in (self._place, PROGRAM, Path(sys.executable)):
            if JOB in str(path):
                raise ValueError(f"{path}: {JOB} in it is replaced by --cmd's script: rename it")

    def map(self, function: Callable[[Item], Output], items: Iterable[Item]) -> Iterator[Output]:
        """See `Cluster`."""
        with scratch_directory(Path(f"{self._place}.jobs")) as folder:
            write_pickle(folder / "call", Call(function))
            numbers: list[int] = []
            for number, item in enumerate(items, 1):
                write_pickle(_item_file(folder, number), item)
                numbers.append(number)
            if numbers:
                self._run_rounds(folder, numbers)
            for number in numbers:
                outcome: Outcome[Output] = read_pickle(output_file(folder, number))
                yield outcome.take()

    def _run_rounds(self, folder: Path, numbers: Sequence[int]) -> None:
        for _ in range(TRIES):
            jobs = min(self._num_jobs, len(numbers))
            log = self._run(folder, numbers, jobs)
            left = [number for number in numbers if not output_file(folder, number).exists()]
            if not left:
                return
            log = log.replace(JOB, str(numbers.index(left[0]) % jobs + 1))
            logging.warning("%d of %d parts failed; see %s", len(left), len(numbers), log)
            numbers = left
        raise OSError(f"{len(left)} parts failed {TRIES} times under {self._command[0]}; see {log}")

    def _run(self, folder: Path, numbers: Sequence[int], jobs: int) -> str:
        """Run the jobs of a round to their end, well or not; return the form of their logs."""
        with replacing_file(folder / "left.json") as file:
            json.dump(numbers, file)
        self._rounds += 1
        log = f"{self._place}.{self._rounds}.{JOB}.log"
        program = [sys.executable, str(PROGRAM), str(folder), str(jobs), JOB]
        environment = {k: value for k, value in os.environ.items() if k != LOG_VARIABLE}
        script = subprocess.Popen(
            [*self._command, f"{JOB}=1:{jobs}", log, *program],
            env=environment,
            start_new_session=True,  # so that its jobs end with it
        )
        try:
            script.wait()
        except BaseException:
            os.killpg(script.pid, signal.SIGTERM)
            raise
        return log


def find_script(command: str) -> str:
    """Return the path of the script that --cmd names, of PATH or of Kaldi's own folder.

    Raises:
        ValueError: there is none.
    """
    name, *_ = shlex.split(command) or [""]
    root = os.environ.get("KALDI_ROOT")
    path = os.pathsep.join(
        [os.environ.get("PATH", os.defpath), *([f"{root}/{IN_KALDI}"] if root else [])]
    )
    found = shutil.which(name, path=path)
    if not found:
        raise ValueError(
            f"--cmd {command!r}: no program {name!r} in PATH: set KALDI_ROOT, which has run.pl, "
            f"queue.pl and slurm.pl in {IN_KALDI}"
        )
    return found


def run_job(folder: Path, num_jobs: int, job: int) -> None:
    """Call the function of `QueuedJobs.map` for the items of a job, numbered from 1."""
    numbers = json.loads((folder / "left.json").read_text())
    call: Call = read_pickle(folder / "call")
    for number in numbers[job - 1 :: num_jobs]:
        outcome = call(read_pickle(_item_file(folder, number)))
        write_pickle(output_file(folder, number), outcome)


def _item_file(folder: Path, number: int) -> Path:
    return folder / f"item.{number}"


def output_file(folder: Path, number: int) -> Path:
    """Return the path of an item's outcome, which is there once it is whole."""
    return folder / f"output.{number}"
