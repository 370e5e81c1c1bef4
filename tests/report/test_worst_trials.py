"""The worst trials, and how their sides are described."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.kaldi.tables import write_table
from deep_speaker.report.worst_trials import Side, read_id_tables, worst_trials
from deep_speaker.trials.models import write_models
from deep_speaker.trials.table import read_trial_table


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    utt2spk = {"a-1": "a", "a-2": "a", "b-1": "b", "b-2": "b"}
    write_table(tmp_path / "utt2spk", utt2spk)
    write_spk2utt(tmp_path / "spk2utt", sorted(utt2spk.items()))
    write_table(tmp_path / "utt2dur", {"a-1": 1.5, "a-2": 2, "b-1": 3, "b-2": 4})
    write_table(tmp_path / "spk2gender", {"a": "f"})
    write_table(tmp_path / "segments", {"a-1": "rec 0.5 2", "a-2": "rec 2 4"})
    write_table(tmp_path / "wav.scp", {"rec": "sph2pipe rec.sph |", "b-1": "/b1.wav"})
    write_models(tmp_path, {"m": ["a-1", "a-2"]})
    (tmp_path / "trials").write_text(
        "m a-2 target\na-1 a-2 target\nb b-2 target\nm b-1 nontarget\na-1 b-1 nontarget\n"
    )
    return tmp_path


def test_the_worst_come_first(data_dir: Path) -> None:
    trials = read_trial_table(data_dir / "trials")
    tables = read_id_tables(data_dir, trials.names)
    scores = np.array([0.3, 0.1, 0.3, 0.7, 0.9])
    targets = worst_trials(trials, scores, True, tables)
    assert [(each.enroll.id, each.score) for each in targets] == [
        ("a-1", 0.1), ("m", 0.3), ("b", 0.3)
    ]  # fmt: skip
    (worst,) = worst_trials(trials, scores, False, tables, count=1)
    assert (worst.enroll.id, worst.test.id, worst.score) == ("a-1", "b-1", 0.9)
    # Of equals the first.
    assert [w.enroll.id for w in worst_trials(trials, np.ones(5), True, tables, 2)] == ["m", "a-1"]


def test_utterances_models_and_speakers_are_described(data_dir: Path) -> None:
    tables = read_id_tables(data_dir, ["a-1", "m", "b", "b-1"])
    assert tables.describe("a-1") == Side(
        "a-1", "a", "f", 1.5, "sph2pipe rec.sph | (seconds 0.5 to 2)", 1
    )
    assert tables.describe("m") == Side(
        "m", "a", "f", 3.5, "sph2pipe rec.sph | (seconds 0.5 to 2)", 2
    )
    assert tables.describe("b") == Side("b", "b", "", 7.0, "/b1.wav", 2)
    assert tables.describe("b-1") == Side("b-1", "b", "", 3.0, "/b1.wav", 1)


def test_tables_may_be_missing(data_dir: Path) -> None:
    for name in ("utt2dur", "spk2gender", "segments", "wav.scp"):
        (data_dir / name).unlink()
    tables = read_id_tables(data_dir, ["a-1"])
    assert tables.describe("a-1") == Side("a-1", "a", "", None, "", 1)
