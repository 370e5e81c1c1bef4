"""Pairs of held-out training speakers: who they are, and their scores."""

from itertools import combinations
from pathlib import Path

import pytest

from deep_speaker.embeddings.held_out import write_held_out
from deep_speaker.kaldi.tables import write_table
from deep_speaker.scoring import calibration_trials
from deep_speaker.scoring.calibration_trials import (
    read_corpora,
    split_corpora,
    write_calibration_trials,
)
from deep_speaker.trials.lists import read_trials
from support.scored_folders import (
    OWN,
    TRAIN,
    held_out_of,
    replace_train,
    score,
    slow_cosine,
    slow_vectors,
)
from support.tiny_xvectors import (
    make_utt2spk,
    parse_scores,
)

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


def test_calibration_trials_are_all_pairs_of_the_held_out_speakers(folder: Path) -> None:
    scores = score(folder, "plda", "cosine")
    trials = read_trials(scores / "calibration_trials")
    held_out = held_out_of(TRAIN)
    wanted = [key for key in sorted(TRAIN) if TRAIN[key] in held_out]
    assert {frozenset(trial[:2]) for trial in trials} == set(
        map(frozenset, combinations(wanted, 2))
    )
    assert len(trials) == 40 * 39 / 2
    for trial in trials:
        assert trial.target == (TRAIN[trial.enroll] == TRAIN[trial.test])
    unit = slow_vectors(folder / "p/xvectors_train")
    found = parse_scores(scores / "p.calibration_trials.cosine")
    assert list(found) == [trial[:2] for trial in trials]
    for (enroll, test), value in found.items():
        assert value == pytest.approx(slow_cosine(unit[enroll], unit[test]), abs=1e-6)
    assert list(parse_scores(scores / "p.calibration_trials.plda")) == list(found)


def test_there_are_no_more_calibration_trials_than_the_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen alike for all phases."""
    monkeypatch.setattr(calibration_trials, "MAX_TRIALS", 30)
    first = (score(folder) / "calibration_trials").read_text()
    trials = read_trials(folder / "scores/calibration_trials")
    assert (len(trials), sum(trial.target for trial in trials)) == (30, 15)
    assert (score(folder, phase="q") / "calibration_trials").read_text() == first


@pytest.mark.parametrize("repeated", [0, 9, 10])
def test_fewer_than_ten_held_out_speakers_of_several_utterances_calibrate_nothing(
    repeated: int, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says so, earlier calibration scores of this phase go, and the test list's come."""
    scores = score(folder, "lda", "cosine")
    (scores / "p.trials.cosine").unlink()
    held_out = sorted(held_out_of(TRAIN))
    lone = {k: name for k, name in TRAIN.items() if name not in held_out[repeated:] or k[-1] == "0"}
    replace_train(folder, lone, held_out)
    caplog.clear()
    score(folder, "lda", "cosine")
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    found = [line for line in (each.getMessage() for each in warnings) if OWN not in line]
    expected = {"p.trials.cosine", "p.trials.lda"}
    if repeated < 10:
        (warning,) = found
        assert f" {repeated} of 10 " in warning
    else:
        assert not found
        expected |= {
            "calibration_trials",
            *(f"p.calibration_trials.{b}" for b in ("cosine", "lda")),
        }
    assert {path.name for path in scores.iterdir()} == {*expected, "made_of.json"}
    assert len((scores / "p.trials.cosine").read_text().splitlines()) == 100


def test_who_is_held_out_stands_with_the_x_vectors_whatever_the_config_says(folder: Path) -> None:
    names = sorted(set(TRAIN.values()))[:10]
    write_held_out(folder / "p/xvectors_train", names)
    trials = read_trials(score(folder) / "calibration_trials")
    assert {TRAIN[trial.enroll] for trial in trials} == set(names) != held_out_of(TRAIN)
