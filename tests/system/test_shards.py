"""Shards of any work: whole, current, in one place or the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from deep_speaker.system import code
from deep_speaker.system.code import code_sum
from deep_speaker.system.shards import Shards, Whole, free_numbers, link
from deep_speaker.system.wanted import Wanted


@dataclass
class Made:
    places: dict[str, tuple[int, int]]


def open_shards(folder: Path, options: object = "config") -> Shards[Made]:
    return Shards(folder / "out", Made, options)


def want(**sums: str) -> Wanted:
    return Wanted(sums.items())


def read(work: Shards[Made], found: Mapping[int, Whole]) -> dict[int, Made]:
    return {number: work.read(whole, want())[1] for number, whole in found.items()}


def keep(work: Shards[Made], number: int, **sums: str) -> None:
    work.begin()
    name = f"numbers.{number}.txt"
    made = Made({key: (number, i) for i, key in enumerate(sums)})
    made_of = {key: [value.zfill(16)] for key, value in sums.items()}
    with work.writing(number) as folder:
        (folder / name).write_text(f"{number}\n" * number)
        work.keep(number, made_of, [name], made, folder)


def finish(work: Shards[Made], found: Mapping[int, Whole]) -> None:
    work.gather(found)
    work.finish(found)


def test_shards_are_found_while_they_are_written_and_when_the_folder_has_them(
    tmp_path: Path,
) -> None:
    sums = want(a="1", b="2", c="3")
    work = open_shards(tmp_path)
    assert work.find(sums) == {}
    assert sums.missing == 3
    assert not list(tmp_path.iterdir())
    keep(work, 1, a="1", b="2")
    keep(work, 3, c="3")
    found = open_shards(tmp_path).find(sums)
    assert read(work, found) == {
        1: Made({"a": (1, 0), "b": (1, 1)}),
        3: Made({"c": (3, 0)}),
    }
    assert sums.missing == 0
    made = read(work, found)
    numbers = free_numbers(found)
    assert [next(numbers) for _ in range(3)] == [2, 4, 5]
    assert work.changes(found)
    finish(work, found)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    again = open_shards(tmp_path).find(sums)
    assert read(work, again) == made
    assert not work.changes(again)
    assert open_shards(tmp_path, "other").find(sums) == {}


def test_a_folder_keeps_its_shards_beside_new_ones_and_loses_others(tmp_path: Path) -> None:
    work = open_shards(tmp_path)
    keep(work, 1, a="1")
    keep(work, 2, b="2")
    finish(work, work.find(want(a="1", b="2")))
    inode = (tmp_path / "out/numbers.1.txt").stat().st_ino
    sums = want(a="1", b="c4a26ed", c="3")
    found = work.find(sums)
    assert list(found) == [1]
    assert [key for key in "abcd" if sums.lacks(key)] == ["b", "c"]
    keep(work, 2, b="c4a26ed", c="3")
    (work.partial / "numbers.3.txt").write_text("begun")
    assert (tmp_path / "out/numbers.2.txt").read_text() == "2\n2\n"
    found = work.find(sums)
    assert list(found) == [1, 2]
    assert not (work.partial / "numbers.3.txt").exists()
    finish(work, found)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "numbers.1.txt", "numbers.2.txt", "shards"
    ]  # fmt: skip
    assert (tmp_path / "out/numbers.1.txt").stat().st_ino == inode  # no second copy
    assert list(work.find(sums)) == [1, 2]


def test_a_shard_without_any_key_that_is_wanted_is_none(tmp_path: Path) -> None:
    work = open_shards(tmp_path)
    keep(work, 1, a="1", b="2")
    wanted = want(b="2", c="3")
    assert work.read(work.find(wanted)[1], wanted)[0] == ["b"]
    assert work.find(want(c="3")) == {}
    assert not work.partial.exists()


def test_a_key_is_taken_from_one_shard(tmp_path: Path) -> None:
    work = open_shards(tmp_path)
    keep(work, 1, a="1")
    keep(work, 2, a="1", b="2")
    assert list(work.find(want(a="1", b="2"))) == [1]


def test_what_a_lost_worker_left_is_in_nobodys_way(tmp_path: Path) -> None:
    work = open_shards(tmp_path)
    keep(work, 1, a="1")
    left = work.partial / "shard.1.99-0a1b2c.partial"
    left.mkdir()
    (left / "numbers.1.txt").write_text("half")
    finish(work, work.find(want(a="1")))
    assert sorted(path.name for path in work.folder.iterdir()) == ["numbers.1.txt", "shards"]


def test_a_record_names_no_file_outside_its_folder(tmp_path: Path) -> None:
    """Whoever wrote it: a data directory may be somebody else's."""
    other = tmp_path / "precious"
    other.write_text("precious")
    for name in ("../precious", str(other), "a/../../precious"):
        work = open_shards(tmp_path)
        (work.partial / "a").mkdir(parents=True)
        work.begin()
        work.keep(1, {"a": ["1".zfill(16)]}, [name], Made({}), work.partial)
        assert work.find(want(a="1")) == {}
    assert other.read_text() == "precious"


def test_a_link_is_a_copy_where_the_file_system_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: Path) -> None:
        raise PermissionError("no links here")

    (tmp_path / "a").write_text("content")
    monkeypatch.setattr("os.link", refuse)
    link(tmp_path / "a", tmp_path / "folder/b")
    assert (tmp_path / "folder/b").read_text() == "content"
    assert (tmp_path / "folder/b").stat().st_mtime_ns == (tmp_path / "a").stat().st_mtime_ns


def test_the_sum_of_code_is_that_of_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    path = tmp_path / "room/file.py"
    path.parent.mkdir()

    def sum_of(text: str) -> str:
        path.write_text(text)
        return code_sum(["room"])

    plain = sum_of("def add(a, b):\n    return a + b\n")
    documented = '"""Sums."""\n\n\ndef add(a, b):\n    """Add."""\n    return a + b  # so\n'
    assert sum_of(documented) == plain
    assert sum_of("def add(a, b):\n    return a - b\n") != plain
