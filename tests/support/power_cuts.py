"""A disk that keeps only what was flushed: it looks at what each renaming would leave of a cut."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Disk:
    """Remembers what was flushed, and what took a name before it was.

    Attributes:
        losses: what a power cut after a renaming would leave less of than all.
        renamed: the names that were taken, in order.
    """

    def __init__(self) -> None:
        self.losses: list[str] = []
        self.renamed: list[Path] = []
        self._flushed: dict[int, object] = {}
        self._to_flush: dict[Path, Path] = {}  # folders whose names have changed, and by what

    def flush(self, descriptor: int) -> None:
        """Take over what a file holds, or which names a folder has."""
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        self._flushed[os.fstat(descriptor).st_ino] = content(path)
        self._to_flush.pop(path, None)

    def check(self, source: Path, target: Path) -> None:
        """Find what of a file or folder is not flushed as it takes a name."""
        self.renamed.append(target)
        for path in [source, *source.rglob("*")] if source.is_dir() else [source]:
            if not path.is_symlink() and self._flushed.get(path.stat().st_ino) != content(path):
                self.losses.append(f"{path} is not flushed, and becomes a part of {target}")

    def note(self, target: Path) -> None:
        """Note that the folder of a name has to be flushed, too."""
        self._to_flush[target.parent.resolve()] = target

    def all_losses(self) -> list[str]:
        """Return the losses, and the names that a cut now would take back."""
        return self.losses + [
            f"the name {target} is not flushed" for target in self._to_flush.values()
        ]


def content(path: Path) -> object:
    """Return what a file holds, or which names a folder has."""
    if path.is_dir():
        return sorted(each.name for each in path.iterdir())
    return path.read_bytes()


@contextmanager
def watched_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Yield a disk that watches all that this process flushes and renames to final names."""
    disk = Disk()
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def flush(descriptor: int) -> None:
        fsync(descriptor)
        disk.flush(descriptor)

    def watch(function: Any) -> Any:
        def call(source: Any, target: Any, **options: Any) -> None:
            # What is put into a partial folder, or aside, has no final name yet.
            final = not any(".partial" in part for part in Path(target).parts)
            final = final and not str(target).endswith(".previous")
            if final:
                disk.check(Path(source), Path(target))
            function(source, target, **options)
            if final:
                disk.note(Path(target))

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", flush)
        patch.setattr(os, "rename", watch(rename))
        patch.setattr(os, "replace", watch(replace))
        yield disk
