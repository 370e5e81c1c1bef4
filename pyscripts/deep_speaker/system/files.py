"""Files and folders that get their names only when whole: a stop leaves the old ones or none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

RECIPE = Path(__file__).resolve().parents[3]  # the folder of run.sh


def read_utf8(path: Path) -> str:
    """Return the text of a file, without the byte order mark of Windows programs.

    Raises:
        ValueError: it is in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from error


@contextmanager
def replacing_file(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open `path` for writing; it takes its name only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    encoding = None if "b" in mode else "utf-8"
    try:
        with partial.open(mode, encoding=encoding) as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def scratch_directory(path: Path) -> Iterator[Path]:
    """Yield an empty folder that is gone after the block, as are the folders made around it."""
    made = [folder for folder in path.parents if not folder.exists()]
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # not empty: the block has put something there
                folder.rmdir()


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` when the block ends without an error."""
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        replace_directory(path, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_directory(path: Path, whole: Path) -> None:
    """Rename the folder `whole` to `path`, and remove the old `path`; of a link, the link alone."""
    previous = path.with_name(path.name + ".previous")
    shutil.rmtree(previous, ignore_errors=True)
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        path.rename(previous)
    whole.rename(path)
    shutil.rmtree(previous, ignore_errors=True)
