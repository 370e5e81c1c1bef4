"""Files and folders that get their names only when whole: a stop leaves the old ones or none."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from deep_speaker.system.durability import full_disk_told, sync, sync_tree
from deep_speaker.system.partials import new_partial

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
def replacing_path(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yield an empty file that takes the place of `path` when the block ends without an error.

    For libraries that open files themselves.

    Args:
        suffix: of its name, where they go by that.
    """
    with new_partial(path, suffix=suffix) as partial, full_disk_told(path.parent):
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)


@contextmanager
def replacing_file(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open `path` for writing; it takes its name only when the block ends without an error."""
    with replacing_path(path) as partial, _open(partial, mode) as file:
        yield file


@contextmanager
def replacing_files(*paths: Path, mode: str = "w") -> Iterator[list[IO]]:
    """Open files for writing that belong together; none takes its name before all are whole.

    They take their names in the order given, so the last one tells that all of them are there.
    """
    with ExitStack() as stack:
        for folder in {path.parent for path in paths}:
            stack.enter_context(full_disk_told(folder))
        partials = [stack.enter_context(new_partial(path)) for path in paths]
        with ExitStack() as opened:
            yield [opened.enter_context(_open(partial, mode)) for partial in partials]
        for partial in partials:
            sync(partial)
        for partial, path in zip(partials, paths, strict=True):
            partial.replace(path)
        for folder in {path.parent for path in paths}:
            sync(folder)


def _open(path: Path, mode: str) -> IO:
    return path.open(mode, encoding=None if "b" in mode else "utf-8")


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
    settle_directory(path)
    with new_partial(path, folder=True) as partial, full_disk_told(path.parent):
        yield partial
        replace_directory(path, partial)


def replace_directory(path: Path, whole: Path) -> None:
    """Rename the folder `whole` to `path`, and remove the old `path`; of a link, the link alone."""
    sync_tree(whole)
    previous = _previous(path)
    shutil.rmtree(previous, ignore_errors=True)
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        path.rename(previous)
    whole.rename(path)
    sync(path.parent)
    shutil.rmtree(previous, ignore_errors=True)


def settle_directory(path: Path) -> None:
    """Give back the old folder of a run that was killed between two renamings, or remove it."""
    if path.exists():
        shutil.rmtree(_previous(path), ignore_errors=True)
    elif _previous(path).is_dir():
        _previous(path).rename(path)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")
