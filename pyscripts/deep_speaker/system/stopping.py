"""Stops by signal: what a command does at SIGINT, SIGTERM, SIGHUP, and at the end of its run.

A command under run.sh also stops when run.sh ends, however it does: run.sh holds a pipe open (see
`supervision`), and nobody writes to it.
"""

import os
import signal
import sys
import threading
import time
from functools import cache
from pathlib import Path
from types import FrameType

from deep_speaker.system.errors import tell_lacks

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PIPE_VARIABLE = "RUN_PIPE"  # <descriptor>:<inode> of the pipe
PROCESS_VARIABLE, WORDS_VARIABLE = "RUN_PROCESS", "RUN_WORDS"  # of run.sh: its number, its words
PATIENCE = 10.0  # seconds to clean up before the next, and then the last, demand
AGAIN = 1.0  # seconds after which a signal counts as another one: a library may swallow the first
_run_ended = threading.Event()


class Stopped(KeyboardInterrupt):
    """A signal that asks this process to end; raised in its main thread.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        by = "the end of run.sh" if _run_ended.is_set() else signal.Signals(number).name
        super().__init__(by)
        self.number = number


class _Handler:
    """Raises `Stopped`, but not while it may be dealt with already; in a child, the child ends."""

    def __init__(self) -> None:
        self._process, self._last = os.getpid(), 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # of a process that was forked a moment ago
            os._exit(128 + number)
        now = time.monotonic()
        if now - self._last > AGAIN:
            self._last = now
            raise Stopped(number)


def stop_in_order() -> None:
    """Raise `Stopped` at signals from now on, and when the run ends that this command is of."""
    handler = _Handler()
    for number in SIGNALS:
        # Under nohup, SIGHUP stays ignored. SIGINT is ignored where run.sh starts a command.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
    follow_run()


def end_at_once() -> None:
    """Let signals end this process without a word, as they end programs of other languages."""
    for number in SIGNALS:
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def be_quiet_in_imports(main_file: str) -> None:
    """Keep a command of this recipe from tracebacks while it imports, by signals or little memory.

    Args:
        main_file: of the program that runs; another program is left alone.
    """
    path, recipe = Path(main_file), Path(__file__).resolve().parents[3]
    folders = (recipe / "pyscripts", recipe / "local")
    if path.name == "deep-speaker" or path.resolve().parent in folders:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.excepthook = tell_lacks
        follow_run()


@cache
def follow_run() -> None:
    """Send this process a SIGTERM when its run ends, if it is of one: once it has its pipe."""
    descriptor, _, inode = os.environ.get(PIPE_VARIABLE, "").partition(":")
    try:
        if os.fstat(int(descriptor)).st_ino == int(inode):
            threading.Thread(target=_stop_at_end, args=[int(descriptor)], daemon=True).start()
    except (ValueError, OSError):
        return


def _stop_at_end(descriptor: int) -> None:
    os.read(descriptor, 1)
    _run_ended.set()
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        os.kill(os.getpid(), number)
        time.sleep(PATIENCE)


def end_with_parent(parent: int) -> None:
    """End this process at once when its parent does, which leaves nobody to work for.

    Args:
        parent: a descriptor that becomes readable then, as of multiprocessing.
    """
    threading.Thread(target=_end_at, args=[parent], daemon=True).start()


def _end_at(descriptor: int) -> None:
    from multiprocessing.connection import wait

    wait([descriptor])
    os._exit(1)
