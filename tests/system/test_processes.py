"""The pool of processes: order, errors and threads; and the thread that is ahead."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np  # its libraries have threads to limit
import pytest
from threadpoolctl import threadpool_info

from deep_speaker.system.processes import Workers, ahead, map_in_processes, map_in_threads
from support.programs import is_gone


def meet_then_square(folder: Path, number: int) -> tuple[int, int]:
    """Square, the first two numbers not before both have come: so they are in two processes."""
    (folder / str(number)).touch()
    deadline = time.monotonic() + 60
    while number < 2 and not (folder / str(1 - number)).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return number**2, os.getpid()


def fail_at_two(number: int) -> int:
    if number == 2:
        raise ValueError("bad item 2")
    return number


def count_threads(number: int) -> int:
    np.ones((number, number)) @ np.ones((number, number))
    return max(library["num_threads"] for library in threadpool_info())


def test_results_come_in_order_from_several_processes(tmp_path: Path) -> None:
    results = list(map_in_processes(partial(meet_then_square, tmp_path), range(8), 3))
    assert [square for square, _ in results] == [number**2 for number in range(8)]
    processes = {process for _, process in results}
    assert 1 < len(processes) <= 3
    assert os.getpid() not in processes


def test_a_worker_error_arrives_after_the_results_before_it() -> None:
    results = map_in_processes(fail_at_two, range(5), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="bad item 2"):
        next(results)


def test_every_worker_has_one_thread() -> None:
    assert set(map_in_processes(count_threads, [2, 3, 4], 2)) == {1}


def test_workers_stay_from_map_to_map(tmp_path: Path) -> None:
    with Workers(2) as workers:
        first = dict(workers.map(partial(meet_then_square, tmp_path), range(4)))
        next(iter(workers.map(fail_at_two, range(9))))  # and the rest of it is left
        again = {process for _, process in workers.map(partial(meet_then_square, tmp_path), [7, 8])}
    assert again <= set(first.values())
    assert all(is_gone(process) for process in first.values())


def test_an_error_between_results_ends_the_workers_at_once() -> None:
    """Though each is sending what no pipe holds."""
    began = time.monotonic()
    with pytest.raises(KeyError), Workers(2) as workers:
        for _ in workers.map(bytes, [1 << 20] * 6 + [1 << 30]):
            raise KeyError
    assert time.monotonic() - began < 20


KILLED_WORKER = """
import os, signal
from deep_speaker.system.processes import map_in_processes
def work(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    list(map_in_processes(work, range(4), 2))
"""
# In the middle of a message: what it has sent says that more bytes follow.
KILLED_SENDER = """
import os, signal, sys
from deep_speaker.system import processes
processes.LOOK_S = 0.2
def work(number):
    if number == 1:
        frame = sys._getframe()
        while "result_queue" not in frame.f_locals:
            frame = frame.f_back
        os.write(frame.f_locals["result_queue"]._writer.fileno(), (1000).to_bytes(4, "big"))
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    list(processes.map_in_processes(work, range(4), 1))
"""


@pytest.mark.parametrize("text", [KILLED_WORKER, KILLED_SENDER])
def test_a_worker_killed_for_memory_ends_the_run(text: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(text)
    package = Path(__file__).parents[2] / "pyscripts"
    process = subprocess.Popen(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(package)},
        stderr=subprocess.PIPE,
        start_new_session=True,  # to end it with its workers
    )
    try:
        _, messages = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.fail("waits for ever for a worker that was killed")
    assert process.returncode > 0
    assert b"a worker process was killed" in messages


def test_a_thread_is_so_many_items_ahead_and_no_more() -> None:
    asked = []

    def ask() -> Iterator[int]:
        for number in range(10):
            asked.append(number)
            yield number

    results = ahead((number**2 for number in ask()), 3)
    assert next(results) == 0
    deadline = time.monotonic() + 10
    while len(asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert asked == [0, 1, 2, 3]
    assert list(results) == [number**2 for number in range(1, 10)]


def test_an_error_in_the_thread_is_raised_in_its_place() -> None:
    results = ahead(map(fail_at_two, range(10)), 5)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="bad item 2"):
        next(results)


def test_threads_keep_the_order_and_do_not_take_a_long_list_whole() -> None:
    taken = []

    def count_up() -> Iterator[int]:
        for number in range(10000):
            taken.append(number)
            yield number

    results = map_in_threads(lambda number: number**2, count_up(), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(taken) < 100
    assert list(results) == [number**2 for number in range(3, 10000)]


def test_an_error_in_a_thread_is_raised_at_its_item() -> None:
    results = map_in_threads(fail_at_two, range(5), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="bad item 2"):
        next(results)
