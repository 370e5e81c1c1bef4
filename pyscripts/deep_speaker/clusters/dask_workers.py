"""Workers of Dask: those of a scheduler that runs, or jobs that dask-jobqueue submits."""

import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import dask.config
import dask_jobqueue
from dask_jobqueue import JobQueueCluster
from distributed import Client, Future, KilledWorker

from deep_speaker.clusters.calls import TRIES, Call, Outcome
from deep_speaker.system.files import RECIPE
from deep_speaker.system.processes import ITEMS_AHEAD

Item = TypeVar("Item")
Output = TypeVar("Output")
PACKAGE = RECIPE / "pyscripts"
# By the names that jobqueue.yaml has for them: slurm, pbs, sge, lsf, htcondor, oar, moab.
KINDS: dict[str, type[JobQueueCluster]] = {
    kind.job_cls.config_name: kind
    for name, kind in vars(dask_jobqueue).items()
    if name.endswith("Cluster") and kind is not JobQueueCluster
}


class DaskWorkers:
    """A cluster by way of Dask's client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def map(self, function: Callable[[Item], Output], items: Iterable[Item]) -> Iterator[Output]:
        """See `Cluster`."""
        call = Call(function)
        pending: deque[Future] = deque()
        for item in items:
            pending.append(self._client.submit(call, item, pure=False, retries=TRIES - 1))
            while len(pending) > ITEMS_AHEAD * max(1, len(self._client.nthreads())):
                yield _take(pending.popleft())
        while pending:
            yield _take(pending.popleft())


def _take(future: Future) -> Any:
    try:
        outcome: Outcome = future.result()
    except KilledWorker as error:
        raise OSError(
            f"Dask lost {error.allowed_failures + 1} workers in turn at the same part, perhaps "
            "for lack of memory, or of a package: see their logs"
        ) from error
    return outcome.take()


@contextmanager
def connect(name: str, num_jobs: int) -> Iterator[DaskWorkers]:
    """Yield the workers of a scheduler's address, or of jobs that are submitted and end after it.

    Args:
        name: tcp://host:port; or a kind of `KINDS`, or a file of its options.

    Raises:
        ValueError: no such kind, or its options do not do.
        OSError: no scheduler answers.
    """
    with ExitStack() as stack:
        place = name if "://" in name else stack.enter_context(start_cluster(name, num_jobs))
        client = stack.enter_context(Client(place))
        if not client.nthreads():
            logging.info("--dask %s: waiting for the first worker", name)
            client.wait_for_workers(1)
        check_workers(client, name)
        yield DaskWorkers(client)


def check_workers(client: Client, name: str) -> None:
    """Refuse workers without this package: they would end when they are sent it, without a word."""
    for worker, found in client.run(find_spec, "deep_speaker").items():
        if found is None:
            raise ValueError(
                f"--dask {name}: {worker} cannot import this recipe: start it after "
                f"`cd {RECIPE} && . ./path.sh`"
            )


def start_cluster(name: str, num_jobs: int) -> JobQueueCluster:
    """Submit the jobs of a kind of cluster; see `connect`."""
    kind = read_config(Path(name)) if name.endswith((".yaml", ".yml")) else name
    if kind not in KINDS:
        raise ValueError(
            f"--dask {name}: expected tcp://host:port of a scheduler, one of {', '.join(KINDS)}, "
            "or a file in the form of jobqueue.yaml of dask-jobqueue"
        )
    submit = KINDS[kind].job_cls.submit_command.split()[0]
    if not shutil.which(submit):  # dask-jobqueue would wait for workers for ever
        raise ValueError(f"--dask {name}: no program {submit!r} in PATH, which submits its jobs")
    prologue = dask.config.get(f"jobqueue.{kind}.job-script-prologue", None) or []
    found = f"export PYTHONPATH={PACKAGE}${{PYTHONPATH:+:$PYTHONPATH}}"
    cluster = KINDS[kind](job_script_prologue=[*prologue, found])
    try:
        submit_jobs(cluster, num_jobs)
    except RuntimeError as error:
        cluster.shutdown_on_close = False  # at the exit, it would fail where no job began
        said = " ".join(str(error).split())
        raise ValueError(f"--dask {name}: {submit} does not take its jobs: {said}") from error
    return cluster


def submit_jobs(cluster: JobQueueCluster, num_jobs: int) -> None:
    """Submit jobs, and wait until they are in the queue.

    Raises:
        RuntimeError: the queue's program refuses them. By `scale` alone, that would be logged, with
            tracebacks, and waited for for ever.
    """

    async def submit() -> None:
        cluster.scale(jobs=num_jobs)
        await cluster._correct_state()  # of distributed 2026: as `async with` does

    loggers = [logging.getLogger(name) for name in ("asyncio", "tornado.application")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:  # they would tell of what is told below, also at the exit
        logger.setLevel(logging.CRITICAL)
    cluster.sync(submit)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def read_config(path: Path) -> str:
    """Take a file of Dask's options over those of the user, and return its kind of cluster."""
    if not path.is_file():
        raise ValueError(f"--dask {path}: no such file")
    (options,) = dask.config.collect_yaml([str(path)])
    kinds = list(options.get("jobqueue", {}))
    if len(kinds) != 1:
        raise ValueError(f"{path}: expected one section below 'jobqueue:', got {kinds}")
    dask.config.update(dask.config.config, options)
    return kinds[0]
