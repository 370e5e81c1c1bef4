"""Shards: long work in parts that are kept, so that an interrupted run goes on where it stopped.

What makes a folder F writes the shards of it into F.shards.partial/, each of them some files, and
last a record, by which the shard is known to be whole:

    shards/3.json  {"by": "5f0c...", "made_of": {"anna-1": ["9f86..."]}, "files": ..., "made": ...}

    by       the sum of the options, and of the code, that it was made by
    made_of  of each key, such as an utterance, the sums of the inputs for which it holds
    files    by their paths from the folder: size, time, SHA-256
    made     what the stage wants to know of the shard again

A whole shard is current if it was made by the same options, of the same inputs of all its keys that
are still wanted. A file with another time than the record's is compared by its content.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter

from deep_speaker.system.durability import sync, sync_tree
from deep_speaker.system.files import replace_directory, replacing_file, settle_directory
from deep_speaker.system.partials import new_partial
from deep_speaker.system.sums import content_sum
from deep_speaker.system.wanted import Wanted

Made = TypeVar("Made")
RECORDS = "shards"  # the folder of the records, beside the files of the shards


class Record(BaseModel):
    """What is noted of a whole shard; see above."""

    by: str
    made_of: dict[str, list[str]]
    files: dict[str, tuple[int, int, str]]
    made: Any


class Whole(NamedTuple):
    """A shard that is whole and current; `Shards.read` tells what is in it.

    Attributes:
        place: the folder that has its files.
        record: its record, from there.
    """

    place: Path
    record: str
    files: list[str]


class Shards(Generic[Made]):
    """The shards of a folder: those of its last run, and those of one that was interrupted.

    Attributes:
        folder: where all of them will lie in the end.
        partial: where they are written.
    """

    def __init__(self, folder: Path, kind: type[Made], options: object) -> None:
        """Write nothing yet.

        Args:
            kind: a dataclass, what the stage wants to know of a shard again.
            options: all that decides the shards besides their inputs; JSON.
        """
        self.folder = folder
        self.partial = folder.with_name(f"{folder.name}.shards.partial")
        self._kind = kind
        self._by = short_sum(options)

    def find(self, wanted: Wanted) -> dict[int, Whole]:
        """Find the shards that are whole and current, by number; remove what else was begun.

        Args:
            wanted: all that is wanted now; it learns what these shards have.
        """
        wanted.uncover()
        settle_directory(self.folder)
        found: dict[int, Whole] = {}
        for place in (self.partial, self.folder):
            for path in sorted((place / RECORDS).glob("*.json")):
                if path.stem.isdecimal() and int(path.stem) not in found:
                    files = self._find_files(place, path, wanted)
                    if files:
                        found[int(path.stem)] = Whole(place, f"{RECORDS}/{path.name}", files)
        begun = [whole for whole in found.values() if whole.place == self.partial]
        self._remove_all_but({name for whole in begun for name in (*whole.files, whole.record)})
        return dict(sorted(found.items()))

    def _find_files(self, place: Path, path: Path, wanted: Wanted) -> list[str]:
        """Return the files of a shard by its record; none if it is not whole, or not current."""
        try:
            record = _read_record(path)
            TypeAdapter(self._kind).validate_python(record.made)
        except (OSError, ValueError):
            return []
        if (
            record.by != self._by
            or any(Path(name).is_absolute() or ".." in Path(name).parts for name in record.files)
            or not all(_is_same(place / name, state) for name, state in record.files.items())
            or not wanted.cover(record.made_of)
        ):
            return []
        return list(record.files)

    def read(self, whole: Whole, wanted: Wanted) -> tuple[list[str], Made]:
        """Return the keys of a shard that are wanted, and what the stage noted of it."""
        record = _read_record(whole.place / whole.record)
        made = TypeAdapter(self._kind).validate_python(record.made)
        return [key for key in record.made_of if key in wanted], made

    def _remove_all_but(self, kept: set[str]) -> None:
        for path in sorted(self.partial.rglob("*"), reverse=True):
            if not path.is_dir() and path.relative_to(self.partial).as_posix() not in kept:
                path.unlink()
        if not kept:
            shutil.rmtree(self.partial, ignore_errors=True)

    def begin(self) -> None:
        """Make the folders in which shards are written."""
        (self.partial / RECORDS).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def writing(self, number: int) -> Iterator[Path]:
        """Yield a folder to write the files of a shard in, which `keep` takes from there.

        So a worker that was given up for lost does not meet the one that does its work again.
        """
        with new_partial(self.partial / f"shard.{number}", folder=True) as folder:
            yield folder

    def keep(
        self,
        number: int,
        made_of: Mapping[str, list[str]],
        files: Sequence[str],
        made: Made,
        written: Path,
    ) -> Whole:
        """Put the files of a shard in place, and record it; from now on it is whole."""
        for name in files:
            sync(written / name)
            (written / name).replace(self.partial / name)
        write_record(self.partial, number, self._record(self.partial, made_of, files, made))
        return Whole(self.partial, f"{RECORDS}/{number}.json", list(files))

    def _record(
        self, place: Path, made_of: Mapping[str, list[str]], files: Sequence[str], made: Made
    ) -> Record:
        states = {name: _state(place / name) for name in files}
        return Record(
            by=self._by,
            made_of=dict(made_of),
            files=states,
            made=TypeAdapter(self._kind).dump_python(made, mode="json"),
        )

    def copy(
        self,
        number: int,
        whole: Whole,
        wanted: Wanted,
        place: Path,
        files: Sequence[str],
        made: Made,
    ) -> None:
        """Record a shard in another folder, where `files` hold what is wanted of it."""
        made_of = _read_record(whole.place / whole.record).made_of
        covered = {key: sums for key, sums in made_of.items() if key in wanted}
        write_record(place, number, self._record(place, covered, files, made))

    def begun(self) -> bool:
        """Tell whether there are shards by the same options, as far as the first tells."""
        for place in (self.partial, self.folder):
            for path in islice((place / RECORDS).glob("*.json"), 1):
                with suppress(OSError, ValueError):
                    return _read_record(path).by == self._by
        return False

    def changes(self, found: Mapping[int, Whole]) -> bool:
        """Tell whether the folder has not just the shards found, or lacks new ones."""
        kept = {whole.record for whole in found.values() if whole.place == self.folder}
        there = {f"{RECORDS}/{path.name}" for path in (self.folder / RECORDS).glob("*.json")}
        return kept != there or any((self.partial / RECORDS).glob("*.json"))

    def gather(self, found: Mapping[int, Whole]) -> None:
        """Put the shards found in the folder beside the new ones, if anything changes."""
        if not self.changes(found):
            return
        self.begin()
        for left in self.partial.glob("shard.*.partial"):  # by workers that are gone
            shutil.rmtree(left)
        for whole in found.values():
            if whole.place == self.folder:
                for name in (*whole.files, whole.record):
                    link(self.folder / name, self.partial / name)
        sync_tree(self.partial)

    def finish(self, found: Mapping[int, Whole]) -> None:
        """Give the folder what is gathered, in place of what it had."""
        if self.changes(found):
            replace_directory(self.folder, self.partial)
        self.drop()

    def drop(self) -> None:
        """Remove what is written, which is elsewhere now."""
        shutil.rmtree(self.partial, ignore_errors=True)


def free_numbers(found: Mapping[int, object]) -> Iterator[int]:
    """Yield the numbers that no shard has, from 1."""
    return (number for number in count(1) if number not in found)


def short_sum(content: object) -> str:
    """Return a sum of what JSON can write, in 16 digits.

    >>> short_sum({"b": 1, "a": [2, None]}) == short_sum({"a": (2, None), "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def link(source: Path, target: Path) -> None:
    """Give a file a second place, without a second copy where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_record(place: Path, number: int, record: Record) -> None:
    """Write the record of a shard."""
    with replacing_file(place / RECORDS / f"{number}.json") as file:
        file.write(record.model_dump_json())


def _read_record(path: Path) -> Record:
    return Record.model_validate_json(path.read_bytes())


def _state(path: Path) -> tuple[int, int, str]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, content_sum(path)


def _is_same(path: Path, state: tuple[int, int, str]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_size != state[0]:
        return False
    return status.st_mtime_ns == state[1] or content_sum(path) == state[2]
