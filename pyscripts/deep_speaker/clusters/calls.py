"""What a worker of a cluster does with an item, and what comes back of it."""

import hashlib
import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from deep_speaker.system.code import PACKAGE
from deep_speaker.system.processes import use_one_thread

Output = TypeVar("Output")
TRIES = 3  # of an item
COMMAND = secrets.token_hex(8)  # of this process, where it is a command
_one_at_a_time = Lock()  # in a worker of several threads: a process has one folder, and one log


@dataclass(frozen=True)
class Outcome(Generic[Output]):
    """What a worker made of an item: an output, or an error that another try would not mend.

    Attributes:
        messages: what was logged meanwhile, with the levels.
    """

    output: Output | None
    error: ValueError | None
    messages: list[tuple[int, str]]

    def take(self) -> Output:
        """Log the messages here, and return the output or raise the error."""
        for level, message in self.messages:
            logging.log(level, "%s", message)
        if self.error:
            raise self.error
        return self.output  # type: ignore[return-value]


class Call(Generic[Output]):
    """A function to be called by workers, in the folder and by the code of whoever made this."""

    def __init__(self, function: Callable[[Any], Output]) -> None:
        self.function = function
        self.folder, self.code, self.command = Path.cwd(), describe_code(), COMMAND

    def __call__(self, item: Any) -> Outcome[Output]:
        """Call the function here, in a worker."""
        with _one_at_a_time, kept_messages() as messages:
            try:
                self._check()
                os.chdir(self.folder)
                use_one_thread()
                forget_files(self.command)
                return Outcome(self.function(item), None, messages)
            except ValueError as error:
                return Outcome(None, error, messages)

    def _check(self) -> None:
        if describe_code() != self.code:
            raise ValueError(
                f"a worker on {os.uname().nodename} runs {describe_code()}, and this command "
                f"{self.code}: start the workers again, in this recipe's environment"
            )


@cache
def describe_code() -> str:
    """Tell the versions of all that decides results, of this process."""
    python = ".".join(map(str, sys.version_info[:2]))
    packages = [f"{name} {version(name)}" for name in ("numpy", "torch")]
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return ", ".join([f"code {digest.hexdigest()[:16]}", f"Python {python}", *packages])


def forget_files(command: str) -> None:
    """Empty the caches of this package when a worker, which outlives commands, begins another one.

    The files that it has read may be others by now.
    """
    global COMMAND
    if command == COMMAND:
        return
    COMMAND = command
    for name, module in list(sys.modules.items()):
        for value in vars(module).values() if name.startswith("deep_speaker.") else ():
            if hasattr(value, "cache_clear") and value is not describe_code:
                value.cache_clear()


@contextmanager
def kept_messages() -> Iterator[list[tuple[int, str]]]:
    """Keep what is logged in the block without a logger's name, as this package logs."""
    messages: list[tuple[int, str]] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "root":
                messages.append((record.levelno, record.getMessage()))

    keeper, root = Keeper(), logging.getLogger()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
