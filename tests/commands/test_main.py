"""The frame of deep-speaker: quick help, examples that work, one line for an error."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deep_speaker.commands.main import COMMANDS, DESCRIPTION, build_parser
from support.command_lines import Command
from support.recipe import ROOT

SLOW = ["torch", "pydantic", "scipy", "sklearn", "matplotlib", "kaldiio", "lhotse", "tqdm", "yaml"]


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "pyscripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_help_imports_nothing_slow() -> None:
    code = f"""
import sys
from deep_speaker.commands.main import main
try:
    main(["identify", "--help"])
except SystemExit:
    print("imported", [name for name in {SLOW} if name in sys.modules])
"""
    assert run_python(code).splitlines()[-1] == "imported []"


def test_the_room_of_voices_imports_nothing_slow() -> None:
    """Neither at module level: ONNX files are embedded where none of it is installed."""
    code = f"""
import importlib, pkgutil, sys
import deep_speaker.voices
for module in pkgutil.iter_modules(deep_speaker.voices.__path__, "deep_speaker.voices."):
    importlib.import_module(module.name)
print(len(sys.modules) > 100, [name for name in {SLOW} if name in sys.modules])
"""
    assert run_python(code).strip() == "True []"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_by_examples_that_parse(name: str) -> None:
    text = COMMANDS[name].__doc__ or ""
    examples = re.findall(r"^    (?:.*\| )?(deep-speaker .*)$", text, re.MULTILINE)
    assert len(examples) >= 2
    for example in examples:
        program, *words = shlex.split(example, comments=True)
        assert program == "deep-speaker"
        assert build_parser().parse_args(words).run is COMMANDS[words[0]].run


def test_the_first_help_shows_commands_that_parse() -> None:
    for line in re.findall(r"^    deep-speaker (.*)$", DESCRIPTION, re.MULTILINE):
        build_parser().parse_args(shlex.split(line))
    assert all(f"\n    {name} " in build_parser().format_help() for name in COMMANDS)


def test_the_command_is_found_after_path_sh() -> None:
    done = subprocess.run(
        ["bash", "-c", ". ./path.sh; command -v deep-speaker; cd /; deep-speaker -h"],
        cwd=ROOT,
        env=os.environ | {"VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[:2] == [
        str(ROOT / "pyscripts/deep-speaker"), "usage: deep-speaker [-h] COMMAND ..."
    ]  # fmt: skip


def test_an_error_is_one_line_with_a_remedy(command: Command) -> None:
    answer = command("verify", "--model", "nowhere", "a.wav", "b.flac")
    assert answer.status == 1
    (line,) = answer.err.splitlines()
    assert line.startswith("deep-speaker: error: nowhere: no model there")
    assert "name a model folder" in line
    assert answer.out == ""


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    words = f"{ROOT}/pyscripts/deep-speaker speakers list | true"  # `true` reads nothing
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "a.wav"],
        ["verify", "--prior", "1", "a.wav", "b.flac"],
        ["verify", "--prior", "0.1", "--threshold", "0.5", "a.wav", "b.flac"],
        ["verify", "--false-alarms", "x", "a.wav", "b.flac"],
        ["embed", "a.wav", "--output", "a.txt"],
        ["embed", "a.wav"],
        ["speakers"],
        [],
    ],
)
def test_wrong_options_are_refused_before_work(command: Command, words: list[str]) -> None:
    answer = command(*words)
    assert answer.status == 2
    assert answer.err.startswith("usage: deep-speaker")
