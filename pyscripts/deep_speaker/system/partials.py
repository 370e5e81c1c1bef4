"""What is being written: partial files and folders beside the place that they are to take.

A name tells the process, `<name>.<process>-<random>.partial`: two that write one thing do not meet.
Its process holds a lock on it, so that one without is known to be left by a run that was killed.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def new_partial(path: Path, folder: bool = False, suffix: str = "") -> Iterator[Path]:
    """Yield a new, empty file or folder beside `path`; what the block leaves of it is removed.

    So is what killed runs left that wrote the same `path`.

    Args:
        suffix: of the name, for a library that goes by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    partial, lock = _create(path, folder, suffix)
    try:
        yield partial
    finally:
        _remove(partial)
        os.close(lock)


def _create(path: Path, folder: bool, suffix: str) -> tuple[Path, int]:
    """Create a partial file or folder; return it, and the descriptor of the lock on it."""
    while True:
        name = f"{path.name}.{os.getpid()}-{secrets.token_hex(3)}.partial{suffix}"
        partial = path.with_name(name)
        partial.mkdir() if folder else partial.touch(exist_ok=False)
        with suppress(FileNotFoundError):  # taken for a leftover, before it was locked: once more
            lock = os.open(partial, os.O_RDONLY)
            with suppress(OSError):  # not every file system locks: nothing is left over there
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if partial.exists():
                return partial, lock
            os.close(lock)


def remove_leftovers(path: Path) -> None:
    """Remove what killed runs left beside `path` as they wrote it."""
    form = re.compile(re.escape(path.name) + r"\.\d+-[0-9a-f]{6}\.partial(\..*)?")
    for other in path.parent.iterdir():
        if form.fullmatch(other.name):
            _remove_if_left(other)


def _remove_if_left(partial: Path) -> None:
    """Remove a partial file or folder that nobody holds."""
    with suppress(OSError):  # held, gone by now, or of a file system without locks
        lock = os.open(partial, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(partial)
        finally:
            os.close(lock)


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.unlink(missing_ok=True)
