"""Trials of held-out speakers, within each corpus."""

from pathlib import Path

from deep_speaker.kaldi.tables import write_table
from deep_speaker.scoring.calibration_trials import (
    read_corpora,
    split_corpora,
    write_calibration_trials,
)
from deep_speaker.trials.lists import read_trials
from support.tiny_xvectors import make_utt2spk

CORPORA = ["a", "a_b", "c", "lone", "single"]
UTT2SPK = (
    make_utt2spk("a_s", 5, 3) | make_utt2spk("a_b_s", 5, 3) | make_utt2spk("c_s", 4, 2)
    | make_utt2spk("lone_s", 1, 4) | make_utt2spk("single_s", 4, 1)
)  # fmt: skip


def test_each_corpus_is_paired_with_itself(tmp_path: Path) -> None:
    assert write_calibration_trials(tmp_path / "trials", UTT2SPK, CORPORA, seed=0)
    trials = read_trials(tmp_path / "trials")
    pairs = {
        tuple(key.rpartition("_")[0] for key in (trial.enroll, trial.test)) for trial in trials
    }
    assert pairs == {("a", "a"), ("a_b", "a_b"), ("c", "c")}
    assert len(trials) == 15 * 14 // 2 + 15 * 14 // 2 + 8 * 7 // 2
    assert all(trial.target == (UTT2SPK[trial.enroll] == UTT2SPK[trial.test]) for trial in trials)


def test_one_corpus_is_paired_as_a_whole(tmp_path: Path) -> None:
    assert write_calibration_trials(tmp_path / "trials", UTT2SPK, [], seed=0)
    assert len(read_trials(tmp_path / "trials")) == len(UTT2SPK) * (len(UTT2SPK) - 1) // 2


def test_a_corpus_needs_pairs_of_both_kinds() -> None:
    parts = split_corpora(UTT2SPK, CORPORA)
    assert [len(set(part.values())) for part in parts] == [5, 5, 4]


def test_the_corpora_are_those_that_were_joined(tmp_path: Path) -> None:
    assert read_corpora(tmp_path / "train") == []
    write_table(tmp_path / "stage_0_options", {"corpora": "a b", "data_seed": 0})
    assert read_corpora(tmp_path / "train") == ["a", "b"]
