"""Runs of local/prepare_<corpus>.py in this process, and what they write."""

import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

from deep_speaker.kaldi.tables import read_table


def run_main(monkeypatch: pytest.MonkeyPatch, program: ModuleType, *words: str | Path) -> None:
    """Call a program's `main` with words of a command line."""
    monkeypatch.setattr(sys, "argv", [f"{program.__name__}.py", *map(str, words)])
    program.main()


def fail_on_a_missing_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], program: ModuleType,
    tmp_path: Path,
) -> str:  # fmt: skip
    """Run a program, as a program, on a corpus that is not there; return its line of error."""
    words = [tmp_path / "d", "--corpus-dir", tmp_path / "x"]
    monkeypatch.setattr(sys, "argv", [f"{program.__name__}.py", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(program.__file__), run_name="__main__")
    assert stopped.value.code == 1
    assert list(tmp_path.iterdir()) == []
    _, error = capsys.readouterr().err.splitlines()
    return error


def read_both(output: Path, name: str) -> dict[str, str]:
    """A table of the training and the test set together, which share no key."""
    tables = [read_table(output / part / name) for part in ("train", "test")]
    assert not tables[0].keys() & tables[1].keys()
    return tables[0] | tables[1]
