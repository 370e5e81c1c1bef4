"""A test set as after stage 0, a copy of it for every test."""

from pathlib import Path

import pytest

from support.stage_1_folders import copy_test_set, write_test_set


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of the test set."""
    return write_test_set(tmp_path_factory.mktemp("prepared") / "tiny")


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A test set of one's own, with its audio."""
    return copy_test_set(prepared, tmp_path / "tiny")
