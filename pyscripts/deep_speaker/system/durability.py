"""Files and folders that a power cut leaves as they are: on the disk, not in its cache alone."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

THREADS = 16  # a disk writes what several wait for at once, which takes little longer than for one
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
LEAST_FREE = 1 << 16  # bytes; a disk with less is full


def sync(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, lies on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems, of networks above all, cannot for folders.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)):
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until a folder lies on the disk, with all files and folders in it."""
    with ThreadPoolExecutor(THREADS) as pool:
        for place, _, names in os.walk(folder):
            paths = [path for name in names if not (path := Path(place, name)).is_symlink()]
            for _ in pool.map(sync, paths):
                pass
            sync(Path(place))


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Call a full disk by its name and place: libraries have other errors for it.

    Raises:
        OSError: of the disk of `folder`; or any but a ValueError came while that was full.
    """
    try:
        yield
    except ValueError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in NO_SPACE or (number is None and _is_full(folder)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
        raise


def _is_full(folder: Path) -> bool:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < LEAST_FREE
