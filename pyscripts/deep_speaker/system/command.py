"""The frame of every command of pyscripts/ and local/: its log lines, errors and options."""

import argparse
import logging
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, TextIO

from deep_speaker.system.errors import describe_error, is_expected
from deep_speaker.system.stopping import Stopped, end_at_once, stop_in_order

# Set by run.sh to <folder>/log/<stage>: a command's output also goes to <that>.<command>.log.
LOG_VARIABLE = "STAGE_LOG"


class Tee:
    """A text stream that is written to a log as well, but for progress bars.

    Anything else is asked of the stream itself.
    """

    def __init__(self, stream: TextIO, log: IO[str]) -> None:
        self._stream, self._log = stream, log

    def write(self, text: str) -> int:
        if "\r" not in text:
            with suppress(OSError):  # of a full disk; the stream itself says so
                self._log.write(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def logged(program: str) -> Iterator[None]:
    """Write what the block prints to the log of the stage too, where run.sh names one."""
    place = os.environ.get(LOG_VARIABLE)
    if not place or not is_first_rank():
        yield
        return
    path = Path(f"{place}.{program.removesuffix('.py')}.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with ExitStack() as stack:
        # By lines, to the end of the file: commands of a stage and their workers may share it.
        log = path.open("a", 1, "utf-8", "backslashreplace")
        stack.callback(close_quietly, log)
        stack.enter_context(redirect_stdout(Tee(sys.stdout, log)))  # type: ignore[type-var]
        stack.enter_context(redirect_stderr(Tee(sys.stderr, log)))  # type: ignore[type-var]
        with suppress(OSError):
            print("# Started at", time.strftime("%F %T"), file=log)
        try:
            yield
        except Exception:
            with suppress(OSError):
                traceback.print_exc(file=log)
            raise
        finally:
            with suppress(OSError):
                print(f"# Ended after {time.monotonic() - began:.0f} s", file=log)


def close_quietly(log: IO[str]) -> None:
    """Close a log, which may be on a full disk."""
    with suppress(OSError):
        log.close()


def is_first_rank() -> bool:
    """Tell whether this process is alone, or the first of the ranks of torchrun: it speaks."""
    return os.environ.get("RANK", "0") == "0"


def run(main: Callable[[], None]) -> None:
    """Log this command line, call `main`, and end it as `ending_in_one_line` does."""
    program = Path(sys.argv[0]).name
    # Twice: for the log itself, which may be refused, and so that an error is in it.
    with ending_in_one_line(program), logged(program), ending_in_one_line(program):
        logging.basicConfig(level=logging.INFO, format=f"{program}: %(message)s", stream=sys.stderr)
        if is_first_rank():
            print("#", shlex.join([program, *sys.argv[1:]]), file=sys.stderr)
        main()


@contextmanager
def ending_in_one_line(program: str) -> Iterator[None]:
    """Turn an expected error into one line and exit 1, a signal into one and 128 + its number."""
    logging.raiseExceptions = False  # a log on a full disk is no reason to end, nor for tracebacks
    try:
        stop_in_order()
        yield
    except Exception as error:
        if not is_expected(error):
            raise
        print(f"{program}: error: {describe_error(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        end_at_once()
        how = "interrupted" if number == signal.SIGINT else f"stopped by {error}"
        if is_first_rank():
            print(f"{program}: {how}; the previous result, if any, is kept", file=sys.stderr)
        sys.exit(128 + number)


def positive_int(text: str) -> int:
    """Read a whole number of at least 1, for argparse."""
    value = int(text) if text.lstrip("-").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def resolved_path(text: str) -> Path:
    """Read a path and make it absolute and free of links, as tables need it; for argparse."""
    return Path(text).expanduser().resolve()


def available_cores() -> int:
    """Return the number of cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_jobs_option(parser: argparse.ArgumentParser) -> None:
    """Add --nj, the number of processes."""
    parser.add_argument(
        "--nj",
        type=positive_int,
        default=available_cores(),
        help="processes of one thread each (default: one per core, %(default)s)",
    )
