"""Replaced files and folders: the whole old or the whole new, never a part."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deep_speaker.system.files import (
    read_utf8,
    replacing_directory,
    replacing_file,
    replacing_files,
    replacing_path,
    scratch_directory,
)


def test_file_keeps_its_old_content_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table"
    with replacing_file(path) as file:
        file.write("old é\n")
    with path.open(encoding="utf-8") as reader:
        with replacing_file(path) as file:
            file.write("new\n")
            file.flush()
            assert path.read_text(encoding="utf-8") == "old é\n"
        assert reader.read() == "old é\n"  # renamed, not written over
    assert path.read_text(encoding="utf-8") == "new\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_file_survives_an_error_in_the_block(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "table"
    path.write_text("old\n")
    with pytest.raises(error), replacing_file(path) as file:
        file.write("half of the n")
        raise error
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_directory_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "parent" / "fbank"
    for name in ("first", "second"):
        with replacing_directory(path) as partial:
            assert not list(partial.iterdir())
            (partial / name).write_text(name)
            assert not (path / name).exists()
    assert [item.name for item in path.iterdir()] == ["second"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_directory_survives_an_error_in_the_block(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "fbank"
    path.mkdir()
    (path / "old").write_text("old")
    with pytest.raises(error), replacing_directory(path) as partial:
        (partial / "new").write_text("half")
        raise error
    assert [item.name for item in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from deep_speaker.system.files import replacing_directory, replacing_file
folder = Path(sys.argv[1])
with replacing_file(folder / "table") as file, replacing_directory(folder / "fbank") as partial:
    file.write("half")
    file.flush()
    (partial / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_the_old_and_nothing_for_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("old\n")
    (tmp_path / "fbank").mkdir()
    (tmp_path / "fbank" / "old").write_text("old")
    package = Path(__file__).parents[2] / "pyscripts"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(package)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "table").read_text() == "old\n"
    assert [item.name for item in (tmp_path / "fbank").iterdir()] == ["old"]

    with replacing_file(tmp_path / "table") as file:
        file.write("new\n")
    with replacing_directory(tmp_path / "fbank") as partial:
        (partial / "new").write_text("new")
    assert (tmp_path / "table").read_text() == "new\n"
    assert [item.name for item in (tmp_path / "fbank").iterdir()] == ["new"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["fbank", "table"]


def test_a_scratch_directory_leaves_only_what_the_block_put_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError), scratch_directory(tmp_path / "data" / "x" / "scratch") as path:
        (path / "half").touch()
        raise ValueError
    assert list(tmp_path.iterdir()) == []
    with scratch_directory(tmp_path / "data" / "x" / "scratch") as path:
        (path / "half").touch()
        (path.parent / "result").touch()
    assert list(tmp_path.rglob("*")) == [
        tmp_path / "data",
        tmp_path / "data" / "x",
        tmp_path / "data" / "x" / "result",
    ]


def test_an_error_names_the_file_of_another_encoding_and_the_byte(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Zoë\n", encoding="utf-8")
    assert read_utf8(tmp_path / "a.txt") == "Zoë\n"
    (tmp_path / "b.txt").write_text("Zoë\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"/b\.txt: .*UTF-8 .* 2\)$"):
        read_utf8(tmp_path / "b.txt")


def test_two_that_write_one_thing_do_not_meet(tmp_path: Path) -> None:
    """The last to end is the one that stays; nobody removes what another is writing."""
    path = tmp_path / "table"
    with replacing_file(path) as first:
        first.write("first\n")
        with replacing_file(path) as second:
            second.write("second\n")
        assert path.read_text() == "second\n"
    assert path.read_text() == "first\n"
    assert list(tmp_path.iterdir()) == [path]


def test_only_what_nobody_writes_is_removed_and_only_of_the_same_name(tmp_path: Path) -> None:
    for name in ("table.12-0a1b2c.partial", "table.12-0a1b2c.partial.gz"):
        (tmp_path / name).touch()
    kept = {"table.partial", "table.12.partial", "tables.12-0a1b2c.partial", "pretraining.partial"}
    for name in kept:
        (tmp_path / name).mkdir()
    with replacing_path(tmp_path / "table") as partial:
        assert {path.name for path in tmp_path.iterdir()} == kept | {partial.name}


def test_files_that_belong_together_take_their_names_when_all_are_whole(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("second", "first")]
    for path in paths:
        path.write_text("old")
    with pytest.raises(ValueError), replacing_files(*paths) as files:
        files[0].write("new")
        raise ValueError
    assert [path.read_text() for path in paths] == ["old", "old"]
    with replacing_files(*paths) as files:
        for file, path in zip(files, paths, strict=True):
            file.write(path.name)
        assert [path.read_text() for path in paths] == ["old", "old"]
    assert [path.read_text() for path in paths] == ["second", "first"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_stop_between_the_two_renamings_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fbank"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def stop_at(source: Path, target: Path) -> Path:
        if target == path:
            raise KeyboardInterrupt
        return rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop_at)
        with pytest.raises(KeyboardInterrupt), replacing_directory(path):
            pass
    assert not path.exists()
    with pytest.raises(ValueError), replacing_directory(path):
        raise ValueError  # of the next run, too
    assert [item.name for item in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """As Windows programs write it; one in the middle stays."""
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfa \xef\xbb\xbfb\n")
    assert read_utf8(tmp_path / "list") == "a \ufeffb\n"
