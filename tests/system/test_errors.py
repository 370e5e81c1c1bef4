"""What the machine lacks, in one line, however a library says it."""

import errno
from pathlib import Path

import pytest

from deep_speaker.system.durability import full_disk_told
from deep_speaker.system.errors import Lack, describe_error, find_lack, is_expected
from support.programs import PACKAGE, start


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Lack.SPACE),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Lack.SPACE),
        (MemoryError(), Lack.MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Lack.MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), Lack.MEMORY),
        (RuntimeError("can't start new thread"), Lack.MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), Lack.MEMORY),
        (ImportError("libtorch.so: failed to map segment from shared object"), Lack.MEMORY),
        (OSError(errno.EMFILE, "Too many open files"), Lack.FILES),
        (chained(RuntimeError("write failed"), OSError(errno.ENOSPC, "No space")), Lack.SPACE),
        (ValueError("x: not UTF-8"), None),
        (IndexError("list index out of range"), None),
    ],
)
def test_a_lack_is_known_by_number_or_words(error: Exception, lack: Lack | None) -> None:
    assert find_lack(error) == lack
    assert is_expected(error) == (lack is not None or isinstance(error, ValueError))
    if lack:
        (line,) = describe_error(error).splitlines()
        assert all(words in line for words in lack.value)


def test_the_place_comes_first_where_it_is_known() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "data/mine")
    assert describe_error(error).startswith("data/mine: no space left on the disk: free some")
    denied = PermissionError(errno.EACCES, "Permission denied", "data/mine")
    assert describe_error(denied) == "[Errno 13] Permission denied: 'data/mine'"


def test_a_library_s_own_error_is_that_of_a_full_disk_where_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(IndexError), full_disk_told(tmp_path):
        raise IndexError
    monkeypatch.setattr("deep_speaker.system.durability.LEAST_FREE", 1 << 62)  # any disk is full
    for error in (RuntimeError("System error"), IndexError()):
        with pytest.raises(OSError, match=f"{tmp_path}") as told, full_disk_told(tmp_path):
            raise error
        assert told.value.errno == errno.ENOSPC
    with pytest.raises(ValueError, match="bad"), full_disk_told(tmp_path):
        raise ValueError("bad")
    with pytest.raises(PermissionError), full_disk_told(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_full_disk_gets_its_place(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"{tmp_path}"), full_disk_told(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


IMPORTS = """
import sys
sys.modules["__main__"].__file__ = sys.argv[1]
import deep_speaker
raise {}
"""


def test_imports_without_memory_are_one_line_and_bugs_are_tracebacks() -> None:
    place = str(PACKAGE / "train_network.py")
    lacking = start(IMPORTS.format("MemoryError"), place)
    (line,) = lacking.communicate(timeout=10)[0].splitlines()
    assert lacking.returncode == 1
    assert line.startswith("error: not enough memory")
    bug = start(IMPORTS.format("KeyError('x')"), place)
    assert "Traceback" in bug.communicate(timeout=10)[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is of Linux")
def test_a_log_on_a_full_disk_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "1.do_something.log").symlink_to("/dev/full")
    program = """
import logging, sys
from deep_speaker.system import command
sys.argv = ["do_something.py"]
def main():
    logging.info("a line")
    raise ValueError("wrong")
command.run(main)
"""
    process = start(program, STAGE_LOG=str(tmp_path / "1"))
    printed, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert printed.splitlines()[1:] == ["do_something.py: a line", "do_something.py: error: wrong"]
