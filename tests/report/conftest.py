"""Fixtures of the report's tests."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from deep_speaker.report.page import write_report
from support.report_experiments import PHASES, Made, make_reported


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Keep the plots that are turned into text."""
    found: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: Any, **options: Any) -> None:
        found.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return found


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make an experiment with its report."""
    made = make_reported(tmp_path_factory.mktemp("whole"))
    write_report(made.data_dir, made.experiment_dir, PHASES)
    return made


@pytest.fixture
def made(whole: Made, tmp_path: Path) -> Made:
    """Copy the experiment, to change it."""
    root = whole.data_dir.parents[2]
    shutil.copytree(root, tmp_path / "copy")
    return Made(*(tmp_path / "copy" / folder.relative_to(root) for folder in whole))
