"""Features and a pre-training that tests of training share."""

from pathlib import Path

import pytest

from deep_speaker.training.loop import train
from support.threads import one_thread
from support.tiny_data import make_frames, write_features
from support.training_runs import ASKED, CPU, TINY

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of eight speakers."""
    return write_features(tmp_path_factory.mktemp("data") / "train", make_frames(), TINY)


@pytest.fixture(scope="module")
def pretrained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished pre-training of the tiny experiment."""
    output = tmp_path_factory.mktemp("exp") / "pretraining"
    train(TINY, "pretraining", data_dir, output, None, False, CPU, ASKED)
    return output
