"""Ranks started by one command: who speaks where one of them fails, and that none stays behind."""

import os
import signal
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
        sys.exit(launch(2))
    with ranks.start(torch.device("cpu")):
        open(f"{os.environ['RANK']}.pid", "w").write(str(os.getpid()))
        if sys.argv[1] == "sleep":
            time.sleep(60)
        if sys.argv[1] in ("SIGKILL", "SIGSEGV") and ranks.rank() == 1:
            os.kill(os.getpid(), signal.Signals[sys.argv[1]])
        if sys.argv[1] == str(ranks.rank()):
            raise ValueError(f"mistake of rank {ranks.rank()}")
        for _ in range(10):
            ranks.gather(torch.zeros(1))
command.run(main)
"""


def start(folder: Path, argument: str) -> subprocess.Popen[str]:
    (folder / "script.py").write_text(SCRIPT)
    library = str(Path(__file__).parents[2] / "pyscripts")
    return subprocess.Popen(
        [sys.executable, "script.py", argument],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": library},
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ranks_end_with_the_command(number: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path, "sleep")
    paths = [tmp_path / f"{rank}.pid" for rank in range(2)]
    deadline = time.monotonic() + 60
    while not all(path.is_file() and path.read_text() for path in paths):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in printed
    for path in paths:
        assert not Path("/proc", path.read_text()).exists()
