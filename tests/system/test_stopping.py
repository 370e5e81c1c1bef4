"""Signals: a command ends in order, with its workers, and below run.sh with run.sh."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.programs import PACKAGE, is_gone, start, wait_until

pytestmark = pytest.mark.usefixtures("hangups")

WORK = """
import os, sys, time
from pathlib import Path
from deep_speaker.system import command
from deep_speaker.system.processes import map_in_processes
def work(number):
    Path(sys.argv[1], f"worker-{os.getpid()}").touch()
    time.sleep(60)
def main():
    try:
        list(map_in_processes(work, range(4), 2))
    finally:
        Path(sys.argv[1], "cleaned").touch()
sys.argv[0] = "do_something.py"
if __name__ == "__main__":
    command.run(main)
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped by SIGHUP",
}


def workers(folder: Path) -> list[int]:
    return [int(path.name.split("-")[1]) for path in folder.glob("worker-*")]


def wait_for_workers(folder: Path) -> list[int]:
    wait_until(lambda: len(workers(folder)) == 2)
    return workers(folder)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("whom", ["command", "group"])
def test_a_signal_ends_a_command_in_order(
    tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    process = start(WORK, str(tmp_path))
    started = wait_for_workers(tmp_path)
    (os.kill if whom == "command" else os.killpg)(process.pid, number)
    printed, _ = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert printed.splitlines()[1:] == [
        f"do_something.py: {WORDS[number]}; the previous result, if any, is kept"
    ]
    assert (tmp_path / "cleaned").exists()
    wait_until(lambda: all(map(is_gone, started)))


def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    process = start(WORK, str(tmp_path))
    started = wait_for_workers(tmp_path)
    process.kill()
    wait_until(lambda: all(map(is_gone, started)), 10)
    assert not (tmp_path / "cleaned").exists()


def test_workers_end_with_the_first_error(tmp_path: Path) -> None:
    program = WORK.replace(
        "    time.sleep(60)", "    time.sleep(60) if number else None; raise ValueError('bad')"
    )
    process = start(program, str(tmp_path))
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert printed.splitlines()[-1] == "do_something.py: error: bad"
    wait_until(lambda: all(map(is_gone, workers(tmp_path))))


def test_under_nohup_a_command_goes_on_when_the_terminal_is_gone(tmp_path: Path) -> None:
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN){WORK}"
    process = start(program, str(tmp_path))
    wait_for_workers(tmp_path)
    os.kill(process.pid, signal.SIGHUP)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


IMPORTING = """
import sys, time
sys.modules["__main__"].__file__ = sys.argv[1]
import deep_speaker
print("importing", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_imports_ends_without_a_word(number: signal.Signals) -> None:
    process = start(IMPORTING, str(PACKAGE / "train_network.py"))
    assert process.stdout and process.stdout.readline() == "importing\n"
    process.send_signal(number)
    assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == -number


def test_importing_the_package_leaves_other_programs_their_ctrl_c() -> None:
    process = start(IMPORTING, "/somewhere/notebook.py")
    assert process.stdout and process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=10)[0]


SHELL = """
set -euo pipefail
"$PYTHON" -c "$WORK" "$1"
echo the shell went on
"""


def supervise(folder: Path) -> subprocess.Popen[str]:
    """Start a shell script under a supervisor, whose command has workers."""
    script = folder / "script.sh"
    script.write_text(SHELL)
    program = "import sys; from deep_speaker.system.supervision import supervise\n"
    program += "sys.exit(supervise(sys.argv[1:], 'run.sh'))"
    return start(
        program, "bash", str(script), str(folder), PYTHON=sys.executable, WORK=WORK
    )  # fmt: skip


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL])
@pytest.mark.parametrize("whom", ["run", "group"])
def test_a_run_ends_with_all_its_commands(
    tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    process = supervise(tmp_path)
    started = wait_for_workers(tmp_path)
    (os.kill if whom == "run" else os.killpg)(process.pid, number)
    printed, _ = process.communicate(timeout=15)
    wait_until(lambda: all(map(is_gone, started)), 10)
    assert "Traceback" not in printed
    assert "the shell went on" not in printed
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert whom == "group" or "stopped by the end of run.sh" in printed
    else:
        assert process.returncode == 128 + number
        assert f"run.sh: stopped by {number.name}\n" in printed
        assert (tmp_path / "cleaned").exists()


def test_a_run_has_the_exit_status_of_what_it_runs() -> None:
    program = "import sys; from deep_speaker.system.supervision import supervise\n"
    program += "sys.exit(supervise(sys.argv[1:], 'run.sh'))"
    for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)):
        process = start(program, "bash", "-c", script)
        process.communicate(timeout=10)
        assert process.returncode == status
