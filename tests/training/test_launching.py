"""Ranks of one machine, and of two: who speaks where one fails, and that none stays behind.

Two machines are two launchers on this one, which meet at a port of it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import os, signal, sys, time, torch
from deep_speaker.system import command
from deep_speaker.training import ranks
from deep_speaker.training.launching import launch
def main():
    if not ranks.is_launched():
        sys.exit(launch(*([1, 2, sys.argv[2]] if sys.argv[2:] else [2])))
    if sys.argv[2:]:
        ranks.SECONDS_TO_BE_ENDED = 3
    with ranks.start(torch.device("cpu")):
        open(f"{os.environ['RANK']}.pid", "w").write(str(os.getpid()))
        if sys.argv[1] == "sleep":
            time.sleep(60)
        if sys.argv[1] in ("SIGKILL", "SIGSEGV") and ranks.rank() == 1:
            os.kill(os.getpid(), signal.Signals[sys.argv[1]])
        if sys.argv[1] == str(ranks.rank()):
            raise ValueError(f"mistake of rank {ranks.rank()}")
        while True:
            ranks.gather(torch.zeros(1))
            if sys.argv[1] not in ("work", str(1 - ranks.rank())):
                break
command.run(main)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    (folder / "script.py").write_text(SCRIPT)
    library = str(Path(__file__).parents[2] / "pyscripts")
    return subprocess.Popen(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": library, "TORCH_CPP_LOG_LEVEL": "ERROR"},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_mistake_of_one_rank_is_told(tmp_path: Path) -> None:
    for failing in ("0", "1"):
        process = start(tmp_path, failing)
        _, printed = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Traceback" not in printed
        assert printed.count(f"mistake of rank {failing}") == 1
        assert printed.count("error") == 1


def test_a_killed_rank_is_told_with_its_signal(tmp_path: Path) -> None:
    process = start(tmp_path, "SIGKILL")
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert "Traceback" not in printed
    line = "rank 1 was killed by SIGKILL (9); the system does so when memory runs out"
    assert printed.splitlines()[-1] == line


def await_ranks(folder: Path) -> list[int]:
    """Return the processes of the ranks, once both have started."""
    paths = [folder / f"{rank}.pid" for rank in range(2)]
    deadline = time.monotonic() + 60
    while not all(path.is_file() and path.read_text() for path in paths):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return [int(path.read_text()) for path in paths]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ranks_end_with_the_command(number: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path, "sleep")
    ranks = await_ranks(tmp_path)
    process.send_signal(number)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in printed
    for rank in ranks:
        assert not Path(f"/proc/{rank}").exists()


def test_ranks_end_when_their_launcher_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path, "sleep")
    ranks = await_ranks(tmp_path)
    process.kill()
    deadline = time.monotonic() + 20  # of the sixty that they would sleep
    while any(Path(f"/proc/{rank}").exists() for rank in ranks):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.communicate(timeout=30)


def test_a_rank_killed_from_outside_is_told_though_the_other_ends_in_order(tmp_path: Path) -> None:
    process = start(tmp_path, "sleep")
    os.kill(await_ranks(tmp_path)[1], signal.SIGKILL)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert "rank 1 was killed by SIGKILL (9)" in printed.splitlines()[-1]


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("place", ["where they meet", "elsewhere"])
def test_a_rank_killed_on_one_machine_ends_the_other_one(place: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        meeting = f"127.0.0.1:{server.getsockname()[1]}"
    launchers = [start(tmp_path, "work", meeting)]
    time.sleep(1)  # so that they meet at this one
    launchers.append(start(tmp_path, "work", meeting))
    here, there = launchers if place == "where they meet" else reversed(launchers)
    victim = next(rank for rank in await_ranks(tmp_path) if parent(rank) == here.pid)
    os.kill(victim, signal.SIGKILL)
    printed = [launcher.communicate(timeout=30)[1] for launcher in (here, there)]
    assert "Traceback" not in "".join(printed)
    assert here.returncode == 128 + signal.SIGKILL
    assert "was killed by SIGKILL (9)" in printed[0].splitlines()[-1]
    assert there.returncode == 1
    assert "--resume goes on from the last checkpoint" in printed[1].splitlines()[-1]
