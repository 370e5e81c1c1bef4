"""path.sh: which environment it takes, and how it builds one (of no packages: no network)."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with path.sh and requirements of nothing."""
    (tmp_path / "path.sh").write_text((ROOT / "path.sh").read_text())
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    return tmp_path


def source(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Source path.sh with no environment active, and print the interpreter it leaves on PATH."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ("VIRTUAL_ENV", "CONDA_PREFIX")
    }
    return subprocess.run(
        ["bash", "-c", "set -euo pipefail; . ./path.sh; command -v python; echo $LC_ALL"],
        cwd=folder,
        env=inherited | {"PYTHON": sys.executable, "PIP_NO_INDEX": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_builds_an_environment_once(folder: Path) -> None:
    first = source(folder)
    assert first.stdout.split() == [f"{folder}/.venv/bin/python", "C"]
    assert "building .venv" in first.stderr
    (folder / ".venv" / "kept").touch()
    second = source(folder)
    assert second.stdout == first.stdout
    assert second.stderr == ""
    assert (folder / ".venv" / "kept").exists()


def test_two_that_build_an_environment_at_once_take_turns(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: source(folder), range(2))
    assert first.stdout == second.stdout == f"{folder}/.venv/bin/python\nC\n"
    printed = first.stderr + second.stderr
    assert printed.count("building .venv with") == 1
    assert re.search(r"path\.sh: \.venv is being built by process \d+ on .*: waiting", printed)


def test_a_half_finished_environment_is_built_anew(folder: Path) -> None:
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    assert source(folder).stdout.split()[0] == f"{folder}/.venv/bin/python"
    assert subprocess.run([folder / ".venv/bin/python", "-c", ""], check=True).returncode == 0


def test_a_failed_install_is_said_and_tried_again(folder: Path) -> None:
    (folder / "requirements.txt").write_text("no-such-package==1.0\n")
    failed = source(folder)
    assert failed.returncode == 1
    assert "path.sh: pip could not install requirements.txt" in failed.stderr.splitlines()[-1]
    (folder / "requirements.txt").write_text("# nothing\n")
    assert source(folder).returncode == 0


def test_changed_requirements_update_the_environment(folder: Path) -> None:
    source(folder)
    (folder / ".venv" / "installed").write_text("")
    (folder / "requirements.txt").write_text("pip==0.0.1\n")
    assert "the requirements changed" in source(folder).stderr


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_with_the_packages_is_used(folder: Path, variable: str) -> None:
    (folder / "requirements.txt").write_text((ROOT / "requirements.txt").read_text())
    result = source(folder, **{variable: sys.prefix})
    assert result.stdout.split()[0] == f"{sys.prefix}/bin/python"
    assert not (folder / ".venv").exists()


def test_an_active_environment_without_the_packages_is_not(folder: Path) -> None:
    (folder / "requirements.txt").write_text("no-such-package==1.0\n")
    result = source(folder, VIRTUAL_ENV=sys.prefix)
    assert result.returncode == 1
    assert "building .venv" in result.stderr


def test_an_old_python_is_one_clear_line(folder: Path) -> None:
    old = folder / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = source(folder, PYTHON=str(old))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("path.sh: Python 3.11 or newer is needed")
