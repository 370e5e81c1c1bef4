"""run.sh, stopped in the middle of stage 0; two at once; and what is left for the next."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deep_speaker.system.locks import locked
from support.programs import is_gone, wait_until
from support.recipe import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hangups")]

STAGE_0 = ("--stop-stage", "0", "--nj", "2", "--prepare-options")
LONG = "--num-train-speakers 3000 --num-test-speakers 4 --num-utterances 4"
SHORT = "--num-train-speakers 4 --num-test-speakers 2 --num-utterances 2"


def start(recipe: Recipe) -> subprocess.Popen[str]:
    """Start run.sh, and wait until workers of its command write audio."""
    process = subprocess.Popen(
        ["./run.sh", *STAGE_0, LONG],
        cwd=recipe.folder,
        env=os.environ | {"VIRTUAL_ENV": sys.prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: any(recipe.folder.glob("data/embedded/wav.*.partial/*/*.wav")), 60)
    return process


def processes(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    listed = subprocess.run(["ps", "-eo", "pid=,sess="], capture_output=True, text=True).stdout
    pairs = [map(int, line.split()) for line in listed.splitlines()]
    return [process for process, of in pairs if of == session and not is_gone(process)]


def test_a_run_is_stopped_excludes_others_and_is_redone(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    wav = tmp_path / "data/embedded/wav"
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = start(recipe)
        if number == signal.SIGTERM:
            refuse_others(recipe, process.pid)
        os.kill(process.pid, number)
        printed, _ = process.communicate(timeout=20)
        killed = number == signal.SIGKILL
        assert process.returncode == (-number if killed else 128 + number)
        assert "Traceback" not in printed
        assert killed or f"run.sh: stopped by {number.name}" in printed.splitlines()
        wait_until(lambda session=process.pid: not processes(session), 10)  # type: ignore[misc]
        assert not wav.exists()
        assert (wav.parent / "stage_0.unfinished").exists()
    told = recipe.run("--stage", "1", "--stop-stage", "1", expect=1)
    assert re.search(r"stage 0 .* has not ended.*--stage 0; or remove", told.splitlines()[-1])
    wav.with_name("wav.12-0a1b2c.partial").mkdir()
    recipe.run(*STAGE_0, SHORT)
    assert len(list(wav.rglob("*.wav"))) == 12
    assert not list(wav.parent.glob("*.partial")) + list(wav.parent.glob("*.unfinished"))


def refuse_others(recipe: Recipe, process: int) -> None:
    """Try a second run, and a command by hand, on the folder that a run writes."""
    told = rf"data/embedded is in use by process {process} on .*\(./run.sh --stop-stage 0 .*\)"
    printed = recipe.run("--stop-stage", "1", expect=1)
    last = printed.splitlines()[-1]
    assert re.fullmatch(rf"run.sh: error: {told}: wait for its end, or end it", last)
    by_hand = ["local/prepare_embedded.py", "data/embedded"]
    done = subprocess.run(
        [sys.executable, *by_hand],
        cwd=recipe.folder,
        env=os.environ | {"PYTHONPATH": "pyscripts"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert re.search(told, done.stderr.splitlines()[-1])


def test_several_may_train_on_data_that_nobody_may_replace_meanwhile(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path, tiny=True)
    data = tmp_path / "data/embedded"
    data.mkdir(parents=True)
    with locked(data, to_write=False):  # as stages 2 to 6 do
        printed = recipe.run("--stage", "1", expect=1)
        assert "data/embedded is in use by process" in printed
        printed = recipe.run("--stage", "2", expect=1)
        assert "in use" not in printed
        assert "is missing: run stage 0 first" in printed
