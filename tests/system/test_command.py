"""The frame of a command: one line for an expected error, a traceback for a bug, and its log."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deep_speaker.system import command

PROGRAM = """
from deep_speaker.system import command
def main():
    raise {}
command.run(main)
"""


def run(tmp_path: Path, error: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program = tmp_path / "do_something.py"
    program.write_text(PROGRAM.format(error))
    package = Path(__file__).parents[2] / "pyscripts"
    return subprocess.run(
        [sys.executable, str(program), "--out", "a b"],
        env={**os.environ, "PYTHONPATH": str(package), **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ValueError('a\\n  long\\nmessage')", "a long message"),
        ("FileNotFoundError(2, 'No such file', 'x')", "[Errno 2] No such file: 'x'"),
        ("ValueError", "ValueError"),
    ],
)
def test_an_expected_error_is_one_line_below_the_command_line(
    tmp_path: Path, error: str, message: str
) -> None:
    done = run(tmp_path, error)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "# do_something.py --out 'a b'",
        f"do_something.py: error: {message}",
    ]
    assert not done.stdout


def test_a_bug_shows_its_traceback_and_an_interruption_does_not(tmp_path: Path) -> None:
    bug = run(tmp_path, "IndexError('list')")
    assert bug.returncode == 1
    assert "Traceback" in bug.stderr
    stopped = run(tmp_path, "KeyboardInterrupt")
    assert stopped.returncode == 130
    assert "Traceback" not in stopped.stderr


BARS = """ValueError("wrong")

import logging, sys, tqdm
def main():
    for _ in tqdm.tqdm(range(3), mininterval=0, leave=False):
        pass
    print("a table")
    logging.info("a line")
    raise ValueError("wrong")
"""


def test_what_a_stage_prints_goes_to_its_log_too_without_progress_bars(tmp_path: Path) -> None:
    log = tmp_path / "exp/log/4"
    done = run(tmp_path, BARS, STAGE_LOG=str(log))
    assert "3/3" in done.stderr
    lines = log.with_name("4.do_something.log").read_text().splitlines()
    assert lines[0].startswith("# Started at ")
    assert lines[1:-1] == [
        "# do_something.py --out 'a b'",
        "a table",
        "do_something.py: a line",
        "do_something.py: error: wrong",
    ]
    assert lines[-1].startswith("# Ended after ")


def test_several_commands_of_a_stage_share_a_log_and_a_bug_is_in_it(tmp_path: Path) -> None:
    log = tmp_path / "1"
    for error in ("ValueError('first')", "IndexError('second')"):
        run(tmp_path, error, STAGE_LOG=str(log))
    text = log.with_name("1.do_something.log").read_text()
    assert text.count("# Started") == text.count("# Ended") == 2
    assert text.index("first") < text.index("Traceback") < text.index("IndexError: second")


def test_positive_int_takes_whole_numbers_from_1() -> None:
    assert [command.positive_int(text) for text in ("1", "016")] == [1, 16]
    for text in ("0", "-3", "2.5", "", "two", "1e3", "-"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"^{re.escape(repr(text))}"):
            command.positive_int(text)


def test_an_error_steers_no_terminal() -> None:
    assert (
        command.describe_error(ValueError("a\x1b[2J\n\x9b b\udcff é"))
        == "a\\x1b[2J \\x9b b\\udcff é"
    )
