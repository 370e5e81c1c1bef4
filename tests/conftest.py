"""Options and fixtures that several files of tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.voxceleb_trees import (
    O_LIST,
    VOX1_DEV,
    VOX1_TEST,
    VOX2_DEV,
    VOX2_TEST,
    write_tree,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run what takes more than minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--full"):
        left_out = [item for item in items if item.get_closest_marker("full")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    # Files with whole runs first: at the end, one of them would leave the other cores idle.
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture
def hangups() -> Iterator[None]:
    """Have programs that a test starts hear SIGHUP, also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def voxceleb1(tmp_path: Path) -> Path:
    """VoxCeleb1, each archive unpacked to a folder of its name."""
    folder = tmp_path / "VoxCeleb"
    write_tree(folder / "vox1_dev_wav/wav", VOX1_DEV)
    write_tree(folder / "vox1_test_wav/wav", VOX1_TEST)
    (folder / "veri_test.txt").write_text(O_LIST)
    return folder


@pytest.fixture
def both(voxceleb1: Path) -> Path:
    """VoxCeleb2 too, converted to WAV."""
    write_tree(voxceleb1 / "vox2_dev_aac/dev/aac", VOX2_DEV)
    write_tree(voxceleb1 / "vox2_test_aac/aac", VOX2_TEST)
    return voxceleb1
