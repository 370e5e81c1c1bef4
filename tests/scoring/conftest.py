"""The folder that stage 5 is run on."""

from pathlib import Path

import pytest

from support.scored_folders import make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data directories, a trial list, and x-vectors by a phase p; see `make_folder`."""
    return make_folder(tmp_path)
