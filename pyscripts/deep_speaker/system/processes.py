"""Work in parallel: processes of one thread each, threads for files, and a thread ahead."""

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self, TypeVar

from threadpoolctl import threadpool_limits

from deep_speaker.system.stopping import end_at_once, end_with_parent

Item = TypeVar("Item")
Output = TypeVar("Output")
# Forked workers share the imported libraries, which take seconds to import. Apple's
# frameworks do not survive a fork.
CONTEXT = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
ITEMS_AHEAD = 4  # per worker, so that none waits and a long list is not held whole
FILES_AHEAD = 32  # per thread, for the same reason; files take microseconds
LOOK_S = 5.0  # after so long without a result, workers are looked at


class Workers:
    """Processes of one thread each; what they have loaded or compiled stays from map to map.

    They start with the first item. At the end of a `with` they end; if that raises, at once.

    Attributes:
        num_jobs: how many there are.
    """

    def __init__(self, num_jobs: int) -> None:
        self.num_jobs = num_jobs
        self._pool = ProcessPoolExecutor(num_jobs, CONTEXT, initializer=begin_worker)
        self._processes = self._pool._processes  # which its thread may change at any time

    def map(self, function: Callable[[Item], Output], items: Iterable[Item]) -> Iterator[Output]:
        """Yield `function(item)` in the order of `items`.

        The fixed arguments of `functools.partial` go to a worker with every item: keep them small.
        An exception in a worker is raised here.

        Raises:
            OSError: a worker was killed.
        """
        pending: deque[Future[Output]] = deque()
        try:
            for item in items:
                pending.append(self._pool.submit(function, item))
                if len(pending) > ITEMS_AHEAD * self.num_jobs:
                    yield self._wait(pending.popleft())
            while pending:
                yield self._wait(pending.popleft())
        except BrokenProcessPool as error:
            raise OSError(
                "a worker process was killed, perhaps for lack of memory: run fewer with --nj"
            ) from error

    def _wait(self, future: Future[Output]) -> Output:
        """Return a result. See also that a worker was killed while it sent one.

        The pool, which waits for the rest, does not.
        """
        while not future.done():
            late = wait([future], LOOK_S).not_done
            if late and any(each.exitcode is not None for each in list(self._processes.values())):
                raise BrokenProcessPool
        return future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error:  # nobody wants what they are at, which may take hours
            for worker in list(self._processes.values()):
                worker.kill()
            # One may have been sending: the pool waits for the rest as long as anybody could.
            results: Any = self._pool._result_queue
            results._writer.close()
        self._pool.shutdown(cancel_futures=True)


def map_in_processes(
    function: Callable[[Item], Output], items: Iterable[Item], num_jobs: int
) -> Iterator[Output]:
    """Yield `function(item)` in the order of `items`, by workers of their own: `Workers.map`."""
    with Workers(num_jobs) as workers:
        yield from workers.map(function, items)


def map_in_threads(
    function: Callable[[Item], Output], items: Iterable[Item], num_threads: int
) -> Iterator[Output]:
    """Yield `function(item)` in the order of `items`, for functions that wait for files.

    Items are read only a little ahead of the results, so that a long list is not held whole.
    """
    with ThreadPoolExecutor(num_threads) as pool:
        pending: deque[Future[Output]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > FILES_AHEAD * num_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def ahead(items: Iterator[Item], num_ahead: int) -> Iterator[Item]:
    """Yield the same items in the same order; a thread makes up to `num_ahead` of them ahead.

    An item is never None. An exception of the thread is raised here.
    """
    with ThreadPoolExecutor(1) as pool:
        pending = deque(pool.submit(next, items, None) for _ in range(num_ahead))
        try:
            while (item := pending.popleft().result()) is not None:
                pending.append(pool.submit(next, items, None))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """Make a worker end with its parent and by signals, without a word: the parent speaks."""
    end_at_once()
    parent = multiprocessing.parent_process()
    assert parent is not None
    end_with_parent(parent.sentinel)
    use_one_thread()


def use_one_thread() -> None:
    """Keep a worker on one thread: processes times threads must not exceed the cores."""
    threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
