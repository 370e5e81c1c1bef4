"""The choice of --dask and --cmd: where a command's items are worked on."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from deep_speaker.clusters.queued_jobs import QueuedJobs
from deep_speaker.system.command import add_jobs_option

Item = TypeVar("Item")
Output = TypeVar("Output")
REQUIREMENTS = "requirements-dask.txt"


class Cluster(Protocol):
    """Workers elsewhere, with the same file system."""

    def map(self, function: Callable[[Item], Output], items: Iterable[Item]) -> Iterator[Output]:
        """Yield `function(item)` in the order of `items`; both are pickled for every item.

        A worker that is lost, or fails by its machine, costs another try. What the function logs
        is logged here.

        Raises:
            ValueError: as the function did; or a worker is not fit to do this work.
            OSError: an item failed time and again.
        """


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add --nj, and --dask or --cmd."""
    add_jobs_option(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--dask",
        help="work on the workers of a Dask scheduler (tcp://host:8786), or on --nj jobs of "
        "dask-jobqueue (slurm, pbs, ...; or a file in the form of its jobqueue.yaml)",
    )
    group.add_argument("--cmd", help="work in --nj jobs of Kaldi's scripts: 'queue.pl --mem 4G'")


@contextmanager
def open_cluster(options: argparse.Namespace) -> Iterator[Cluster | None]:
    """Yield the cluster that the options name; None: this machine alone.

    Raises:
        ValueError: Dask is not installed, or the cluster is unknown.
        OSError: the scheduler does not answer.
    """
    if options.dask:
        try:
            from deep_speaker.clusters.dask_workers import connect
        except ModuleNotFoundError as error:
            raise ValueError(
                f"--dask: no package {error.name}: {sys.executable} -m pip install -r "
                f"{REQUIREMENTS}"
            ) from error
        with connect(options.dask, options.nj) as workers:
            yield workers
    elif options.cmd:
        yield QueuedJobs(options.cmd, options.nj, Path(sys.argv[0]).stem)
    else:
        yield None
