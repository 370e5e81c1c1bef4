"""Directories that tests of validation may damage."""

from pathlib import Path

import pytest

from support.validated_folders import copy_directories, write_directories


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directories of `write_directories`, for all tests."""
    return write_directories(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of them for one test."""
    return copy_directories(prepared, tmp_path / "all")
