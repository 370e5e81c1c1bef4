"""The library as a package: `pip install .` finds it whole, and nothing else of the recipe."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.recipe import ROOT


def test_the_library_installs_as_a_package(tmp_path: Path) -> None:
    """Without a network, as pip builds with the setuptools that is there."""
    source, target = tmp_path / "recipe", tmp_path / "installed"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    for name in ("pyscripts", "conf", "local"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("data", "exp", "docs"):  # which setuptools is not to take for packages
        (source / name).mkdir()
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--target", target, source], check=True)
    assert {path.name for path in target.iterdir() if not path.name.endswith(".dist-info")} == {
        "bin",
        "deep_speaker",
    }
    assert [path.name for path in (target / "bin").iterdir()] == ["deep-speaker"]
    assert (target / "deep_speaker/report/report.html.j2").is_file()
    code = "import deep_speaker.metrics.error_rates as module; print(module.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(target / "deep_speaker/metrics/error_rates.py")
