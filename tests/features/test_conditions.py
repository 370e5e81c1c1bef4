"""The conditions of a training set: how far a recording lies from all of it."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.features.conditions import (
    Conditions,
    measure_conditions,
    read_conditions,
    write_conditions,
)
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.kaldi.archives import ArchiveWriter, write_scp


@pytest.fixture
def measured(tmp_path: Path) -> Conditions:
    """Conditions of ten utterances, whose mean frames are (i, 2 i) for i from -5 to 4."""
    with ArchiveWriter(tmp_path / "c.ark") as writer:
        for i in range(10):
            frames = np.array([[0, 0], [1, -1], [-1, 1]], dtype=np.float32) + [i - 5, 2 * i - 10]
            writer.write(f"u{i}", cmvn_sums(frames.astype(np.float32)))
    write_scp(tmp_path / "utt_cmvn.scp", writer.scp)
    return measure_conditions(tmp_path)


def test_mean_deviation_and_the_farthest_by_hand(measured: Conditions) -> None:
    deviation = np.std(np.arange(10))
    assert measured.mean == pytest.approx([-0.5, -1])
    assert measured.deviation == pytest.approx([deviation, 2 * deviation], abs=1e-4)
    assert measured.farthest == pytest.approx(4.5 / deviation, abs=1e-3)


def test_no_training_utterance_is_farther_than_the_farthest(measured: Conditions) -> None:
    distances = [measured.distance(np.array([i - 5.0, 2 * i - 10])) for i in range(10)]
    assert max(distances) <= measured.farthest + 1e-4
    assert measured.distance(np.array([20.0, 40.0])) > measured.farthest


def test_what_is_written_is_read_again(measured: Conditions, tmp_path: Path) -> None:
    assert read_conditions(tmp_path) is None
    write_conditions(tmp_path, measured)
    assert read_conditions(tmp_path) == measured


@pytest.mark.parametrize(
    "content",
    [
        '{"mean": []}',
        '{"mean": [], "deviation": [], "farthest": 1}',
        '{"mean": [1], "deviation": [1, 2], "farthest": 1}',
        '{"mean": [1], "deviation": ["1"], "farthest": 1}',
        '{"mean": [1], "deviation": [NaN], "farthest": 1}',
        '{"mean": "1", "deviation": "1", "farthest": 1}',
        '{"mean": [1], "mean": [1], "deviation": [1], "farthest": 1}',
        "[" * 10000,
    ],
)
def test_damage_is_told_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "conditions.json").write_text(content)
    with pytest.raises(ValueError, match=r"conditions\.json: damaged .*fetch it anew"):
        read_conditions(tmp_path)
