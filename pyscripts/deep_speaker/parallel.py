"""A pool of processes with one thread each."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")

# Forked workers share the imported libraries, which take seconds to import anew. Apple's
# frameworks do not survive a fork.
CONTEXT = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], num_jobs: int
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`.

    With `functools.partial` a worker receives its fixed arguments anew with every item: keep
    them small. An exception in a worker is raised here.
    """
    with CONTEXT.Pool(num_jobs, initializer=use_one_thread) as pool:
        yield from pool.imap(function, items)


def use_one_thread() -> None:
    """Keep a worker on one thread: processes times threads must not exceed the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C, once
    threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
