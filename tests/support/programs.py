"""Small programs of this package, run as processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pyscripts"


def start(program: str, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Start a program in a session of its own; it writes all to `stdout`."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(PACKAGE), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so, and fail if it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happens"
        time.sleep(0.02)


def is_gone(process: int) -> bool:
    """Tell whether a process has ended, be it waited for or not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
