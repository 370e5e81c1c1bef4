"""What every command of pyscripts/ and local/ shares: its log lines, errors and options."""

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

# What a user's files, options or machine can cause. Anything else is a bug: a traceback.
EXPECTED_ERRORS = (ValueError, OSError)


def run(main: Callable[[], None]) -> None:
    """Log this command line, call `main`, and turn an expected error into one line and exit 1."""
    program = Path(sys.argv[0]).name
    logging.basicConfig(level=logging.INFO, format=f"{program}: %(message)s", stream=sys.stderr)
    print("#", shlex.join([program, *sys.argv[1:]]), file=sys.stderr)
    try:
        main()
    except EXPECTED_ERRORS as error:
        sys.exit(f"{program}: error: {describe(error)}")
    except KeyboardInterrupt:
        print(f"{program}: interrupted; the previous result, if any, is kept", file=sys.stderr)
        sys.exit(130)


def describe(error: BaseException) -> str:
    """The error as one line."""
    return " ".join(str(error).split()) or type(error).__name__


def positive_int(text: str) -> int:
    """An argparse type: a whole number of at least 1."""
    value = int(text) if text.lstrip("-").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def resolved_path(text: str) -> Path:
    """An argparse type: an absolute path without links, as it shall stand in tables."""
    return Path(text).expanduser().resolve()


def available_cores() -> int:
    """The cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_jobs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nj",
        type=positive_int,
        default=available_cores(),
        help="processes of one thread each (default: one per core, %(default)s)",
    )
