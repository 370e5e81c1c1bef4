"""Locks on folders: one writer or several readers, by process, and who is named."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from deep_speaker.system.locks import LOCK, locked
from support.programs import start, wait_until

HOLD = """
import sys, time
from pathlib import Path
from deep_speaker.system.locks import locked
with locked(Path(sys.argv[1]), to_write=sys.argv[2] == "write"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path, purpose: str) -> int:
    """Have another process hold a folder; return its number."""
    process = start(HOLD, str(folder), purpose)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process.pid


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("theirs", ["write", "read"])
@pytest.mark.parametrize("ours", ["write", "read"])
def test_only_readers_share(folder: Path, theirs: str, ours: str) -> None:
    folder.mkdir()
    process = hold(folder, theirs)
    try:
        if theirs == ours == "read":
            with locked(folder, to_write=False):
                pass
        else:
            host = re.escape(socket.gethostname())
            told = (
                f"{re.escape(str(folder))} is in use by process {process} on {host} since 20.*"
                "\\(.*\\): wait for its end, or end it$"
            )
            with pytest.raises(ValueError, match=told), locked(folder, ours == "write"):
                pass
    finally:
        os.kill(process, signal.SIGKILL)
    # What was killed holds nothing.
    wait_until(lambda: can_lock(folder))


def can_lock(folder: Path) -> bool:
    try:
        with locked(folder):
            return True
    except ValueError:
        return False


def test_a_process_of_another_machine_is_named_with_the_remedy(folder: Path) -> None:
    folder.mkdir()
    process = hold(folder, "write")
    line = (folder / LOCK).read_text().split("\t")
    (folder / LOCK).write_text("\t".join([line[0], "far-away", *line[2:]]))
    with pytest.raises(ValueError, match=rf"on far-away .*; if far-away is gone, remove .*{LOCK}$"):
        locked(folder).__enter__()
    os.kill(process, signal.SIGKILL)


def test_what_holds_a_folder_may_lock_it_again_and_so_may_its_children(folder: Path) -> None:
    with locked(folder), locked(folder):
        process = hold(folder, "write")
        os.kill(process, signal.SIGKILL)
    process = hold(folder, "write")
    assert not can_lock(folder)
    os.kill(process, signal.SIGKILL)


def test_nobody_reads_a_folder_that_is_not_there(folder: Path) -> None:
    with locked(folder, to_write=False):
        assert not folder.exists()


def test_a_lock_of_somebody_else_is_no_hindrance_to_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(folder):
        pass
    opened = os.open

    def refuse(path: Path, flags: int, *rest: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    with locked(folder, to_write=False):
        pass
