"""A program that ends with all that it has started: by signals, and when its supervisor is killed.

A shell waits for its command before it looks at a signal, and leaves it behind when it is killed.
So run.sh is run by a supervisor in its place. It holds one end of two pipes: when it closes the
first, or is killed, every command of the run finds its end (see `stopping`); when all of them are
gone, it finds the end of the second.
"""

import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from deep_speaker.system.stopping import (
    PATIENCE,
    PIPE_VARIABLE,
    PROCESS_VARIABLE,
    WORDS_VARIABLE,
    Stopped,
    stop_in_order,
)


def supervise(program: Sequence[str], name: str) -> int:
    """Run a program to its end, or until a signal; return its exit status, or 128 + the signal's.

    Args:
        name: of the program, for messages.
    """
    stop_in_order()
    end_of_run, run = os.pipe()
    left, commands = os.pipe()
    os.environ[PIPE_VARIABLE] = f"{end_of_run}:{os.fstat(end_of_run).st_ino}"
    os.environ[PROCESS_VARIABLE] = str(os.getpid())
    os.environ[WORDS_VARIABLE] = shlex.join(program[1:])
    try:
        child = subprocess.Popen(
            program, pass_fds=(end_of_run, commands), preexec_fn=_leave_interrupts
        )
        status = child.wait()
    except Stopped as stop:
        print(f"{name}: stopped by {stop}", file=sys.stderr)
        child.terminate()
        status = 128 + stop.number
    os.close(run)
    os.close(commands)
    select.select([left], [], [], 2 * PATIENCE + 1)
    return status if status >= 0 else 128 - status


def _leave_interrupts() -> None:
    """Ignore Ctrl-C, which the supervisor gets as well: Python may not be ready for it yet."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
