"""Trial lists as columns of numbers."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi import columns
from deep_speaker.kaldi.tables import write_table
from deep_speaker.trials.lists import Trial, read_trials, write_trials
from deep_speaker.trials.models import write_models
from deep_speaker.trials.table import (
    find_same_sex,
    find_speakers,
    iterate_trials,
    read_trial_table,
)
from support.tiny_xvectors import make_table

LIST = "b a target\nb c nontarget\nd a nontarget\na b target\nb a target\n"


@pytest.mark.parametrize("block_bytes", [1, 30, 1 << 22])
def test_a_table_by_hand(block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks too, in each of which other names come for the first time."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    (tmp_path / "trials").write_text(LIST)
    table = read_trial_table(tmp_path / "trials")
    assert len(table) == 5
    assert sorted(table.names) == ["a", "b", "c", "d"]
    assert [table.names[i] for i in table.enroll] == ["b", "b", "d", "a", "b"]
    assert [table.names[i] for i in table.test] == ["a", "c", "a", "b", "a"]
    assert table.is_target.tolist() == [True, False, False, True, True]
    kinds = [column.dtype for column in (table.enroll, table.test, table.is_target)]
    assert kinds == [np.int32, np.int32, bool]
    assert len(list(iterate_trials(tmp_path / "trials"))) == {1: 5, 30: 2}.get(block_bytes, 1)


def test_a_table_holds_what_the_list_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"李-{i}" for i in range(30)]
    pairs = rng.integers(30, size=(500, 2)).tolist()
    trials = [Trial(names[i], names[j], i % 3 == 0) for i, j in pairs]
    table = make_table(tmp_path / "trials", trials)
    columns = zip(table.enroll, table.test, table.is_target.tolist(), strict=True)
    assert [Trial(table.names[i], table.names[j], kind) for i, j, kind in columns] == trials
    assert read_trials(tmp_path / "trials") == trials


@pytest.mark.parametrize("block_bytes", [1, 40, 1 << 22])
@pytest.mark.parametrize("line", ["a b", "a b target 1", "a b Target", "a b 1", ""])
def test_a_bad_line_is_quoted_with_its_number(
    line: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    (tmp_path / "trials").write_text(f"{LIST}{line}\n{LIST}")
    told = rf"/trials, line 6: .*'enroll test target\|nontarget'.* '{line}"
    with pytest.raises(ValueError, match=told):
        read_trial_table(tmp_path / "trials")


def test_a_list_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"/trials .*stage 0"):
        read_trial_table(tmp_path / "trials")
    (tmp_path / "trials").write_text("")
    with pytest.raises(ValueError, match="/trials: "):
        read_trial_table(tmp_path / "trials")


# Speakers and their sex: a and b are men, c is a woman.

MODELS = {"m": ["a1", "a2"], "n": ["b1"], "w": ["c1"]}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "test"
    write_table(folder / "utt2spk", {f"{name}{i}": name for name in "abc" for i in "123"})
    write_table(folder / "spk2gender", {"a": "m", "b": "m", "c": "f"})
    write_models(folder, MODELS)
    return folder


def test_speakers_of_utterances_models_and_speakers(data_dir: Path) -> None:
    names = ["c2", "m", "b", "w", "who"]
    assert find_speakers(names, data_dir) == ["c", "a", "b", "c", "who"]
    # A model named as a speaker is the model, one named as an utterance the utterance.
    write_models(data_dir, {"c": ["a1"], "b1": ["c1"], "lost": ["x9"]})
    assert find_speakers(["c", "c2", "b1", "lost"], data_dir) == ["a", "c", "b", "lost"]
    (data_dir / "enroll_spk2utt").unlink()
    assert find_speakers(["c", "b1"], data_dir) == ["c", "b"]


def same_sex(data_dir: Path, *pairs: str) -> list[bool] | None:
    """Of trials written as 'a1 b1'."""
    trials = [Trial(pair.split()[0], pair.split()[1], target=False) for pair in pairs]
    found = find_same_sex(make_table(data_dir / "trials", trials), data_dir)
    return None if found is None else found.tolist()


def test_same_sex_trials_by_hand(data_dir: Path) -> None:
    assert same_sex(data_dir, "a1 a2", "a1 b1", "a1 c1", "c1 b2", "c1 c3") == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert same_sex(data_dir, "a b1", "c b1", "c c1") == [True, False, True]  # by speaker
    assert same_sex(data_dir, "m a3", "n a3", "w a3", "w c2") == [True, True, False, True]


def test_without_the_sex_of_all_speakers_of_a_list_nothing_is_known(data_dir: Path) -> None:
    write_table(data_dir / "spk2gender", {"a": "m", "b": "m"})
    assert same_sex(data_dir, "a1 b1", "a1 c1") is None
    assert same_sex(data_dir, "a1 b1", "w a1") is None
    assert same_sex(data_dir, "a1 b1", "m n") == [True, True]  # c is in none
    write_models(data_dir, {"m": ["x9"]})
    assert same_sex(data_dir, "m b1") is None
    (data_dir / "spk2gender").unlink()
    assert same_sex(data_dir, "a1 b1") is None


def test_tables_are_of_lists_as_they_are_written(tmp_path: Path) -> None:
    """A trial that comes twice is kept twice."""
    trials = [Trial("a", "b", True)] * 2 + [Trial("a", "b", False)]
    write_trials(tmp_path / "trials", trials)
    assert read_trial_table(tmp_path / "trials").is_target.tolist() == [True, True, False]
