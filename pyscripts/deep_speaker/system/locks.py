"""Locks on folders: data/<name> and exp/<name>/<experiment> have one writer, or several readers.

The lock is one of the system (flock) on <folder>/.lock. It lasts as long as a process has the file
open, so that none is left by what was killed. What run.sh locks is locked for its commands too:
they have inherited the open file, and know so by its number in RUN_LOCKS. The file says who holds
the lock, a line each, for messages alone.
"""

import atexit
import errno
import fcntl
import logging
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from deep_speaker.system.stopping import PROCESS_VARIABLE, WORDS_VARIABLE

LOCK = ".lock"
HELD_VARIABLE = "RUN_LOCKS"  # <device>:<inode> of each file that is locked already
NO_LOCKS = (
    errno.ENOLCK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EINVAL,
    errno.EBADF,
)  # of a file system without
_held = ExitStack()
atexit.register(_held.close)


class Holder(NamedTuple):
    """Who holds a lock."""

    process: int
    host: str
    since: str
    words: str

    @property
    def is_gone(self) -> bool:
        """Tell whether it was killed; of another machine nobody knows here."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it is somebody else's
            pass
        return False


def hold(folder: Path, to_write: bool = True, wait: bool = False) -> None:
    """Lock a folder until this process ends; see `locked`."""
    _held.enter_context(locked(folder, to_write, wait))


def are_held() -> bool:
    """Tell whether what has started this command holds its locks, perhaps on another machine."""
    return bool(os.environ.get(HELD_VARIABLE, "").strip())


@contextmanager
def locked(folder: Path, to_write: bool = True, wait: bool = False) -> Iterator[None]:
    """Lock a folder during the block, unless the run that this command is of has locked it.

    A folder that is made for the lock is gone after the block if nothing else is in it.

    Args:
        to_write: alone; else with other readers, and not at all where there is no such folder.
        wait: for others that hold it.

    Raises:
        ValueError: another process holds it.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    before = os.environ.get(HELD_VARIABLE, "")
    descriptor = _open_and_lock(folder, to_write, wait)
    try:
        if descriptor is not None:
            os.environ[HELD_VARIABLE] = f"{before} {number_of(descriptor)}"  # also for children
        yield
    finally:
        if descriptor is not None:
            os.environ[HELD_VARIABLE] = before
            _release(descriptor, folder, to_write)
        for each in made if to_write else ():
            with suppress(OSError):  # not empty: the block has put something there
                each.rmdir()


def _open_and_lock(folder: Path, to_write: bool, wait: bool) -> int | None:
    """Return the descriptor of a lock; None if there is nothing to lock."""
    descriptor = _open(folder, to_write)
    if descriptor is None:
        return None
    if number_of(descriptor) in os.environ.get(HELD_VARIABLE, "").split():
        os.close(descriptor)
        return None
    try:
        lock_descriptor(descriptor, folder, to_write, wait)
    except BaseException:
        os.close(descriptor)
        raise
    if is_there(descriptor, folder):
        return descriptor
    os.close(descriptor)  # another process has removed the file with its own lock
    return _open_and_lock(folder, to_write, wait)


def is_there(descriptor: int, folder: Path) -> bool:
    """Tell whether the open file of a lock is still that of the folder."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), (folder / LOCK).stat())
    return False


def _release(descriptor: int, folder: Path, wrote: bool) -> None:
    """Give a lock back; a writer, who was alone, also removes its file."""
    if wrote and is_there(descriptor, folder):
        (folder / LOCK).unlink()
    os.close(descriptor)


def number_of(descriptor: int) -> str:
    """Return what tells a file from all others of this machine."""
    status = os.fstat(descriptor)
    return f"{status.st_dev}:{status.st_ino}"


def _open(folder: Path, to_write: bool) -> int | None:
    if to_write:
        folder.mkdir(parents=True, exist_ok=True)
    elif not folder.is_dir():
        return None
    with suppress(PermissionError):
        return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    with suppress(OSError):  # read what belongs to somebody else: locked as well, but not noted
        return os.open(folder / LOCK, os.O_RDONLY)
    return None


def lock_descriptor(descriptor: int, folder: Path, to_write: bool, wait: bool = False) -> None:
    """Lock the open file of a folder's lock, or change between writing and reading.

    Raises:
        ValueError: another process holds it.
    """
    kind = fcntl.LOCK_EX if to_write else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise ValueError(describe_holders(folder)) from None
        logging.info("%s; waiting", describe_holders(folder))
        fcntl.flock(descriptor, kind)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        logging.warning("%s: no locks on this disk: let no other run write there", folder)
    with suppress(OSError):  # on a full disk, or of somebody else: a lock without a name
        if to_write:
            os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_END)
        os.write(descriptor, ("\t".join(map(str, _myself())) + "\n").encode())


def _myself() -> Holder:
    """Return what to write of this process, or of the run that it belongs to."""
    process = int(os.environ.get(PROCESS_VARIABLE) or os.getpid())
    words = os.environ.get(WORDS_VARIABLE) or shlex.join(sys.argv)
    return Holder(process, socket.gethostname(), time.strftime("%F %T"), " ".join(words.split()))


def describe_holders(folder: Path) -> str:
    """Say who holds a folder, and what to do."""
    holders = [holder for holder in _read_holders(folder) if not holder.is_gone]
    if not holders:
        return f"{folder} is in use by another process: wait for its end"
    first, others = holders[0], len(holders) - 1
    also = f" and {others} more" if others else ""
    text = (
        f"{folder} is in use by process {first.process} on {first.host} since {first.since} "
        f"({first.words}){also}: wait for its end, or end it"
    )
    if first.host == socket.gethostname():
        return text
    return f"{text}; if {first.host} is gone, remove {folder / LOCK}"


def _read_holders(folder: Path) -> list[Holder]:
    """Return who has noted to hold a lock, each once; some may be gone."""
    holders: dict[tuple[int, str], Holder] = {}
    for line in (folder / LOCK).read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("\t")
        if len(words) == len(Holder._fields) and words[0].isdigit():
            holder = Holder(int(words[0]), *words[1:])
            holders.setdefault((holder.process, holder.host), holder)
    return list(holders.values())
