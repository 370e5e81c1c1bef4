"""What is learnt of held-out speakers' scores: each corpus counts alike."""

from pathlib import Path

import pytest

from deep_speaker.kaldi.tables import write_table
from deep_speaker.scoring.decision_learning import balance_corpora, learn_decisions
from deep_speaker.trials.table import TrialTable, read_trial_table

UTT2SPK = {"a_x-1": "a_x", "a_x-2": "a_x", "a_y-1": "a_y", "b_z-1": "b_z", "b_z-2": "b_z",
           "b_w-1": "b_w"}  # fmt: skip
TRIALS = """a_x-1 a_x-2 target
a_x-1 a_y-1 nontarget
a_x-2 a_y-1 nontarget
b_z-1 b_z-2 target
b_z-1 b_w-1 nontarget
"""
SCORES = [0.9, 0.1, 0.2, 0.3, 0.6]


@pytest.fixture
def experiment_dir(tmp_path: Path) -> Path:
    scores = tmp_path / "exp/mine/small/scores"
    scores.mkdir(parents=True)
    (scores / "calibration_trials").write_text(TRIALS)
    pairs = [line.rpartition(" ")[0] for line in TRIALS.splitlines()]
    lines = [f"{pair} {score}\n" for pair, score in zip(pairs, SCORES, strict=True)]
    (scores / "finetuning.calibration_trials.cosine").write_text("".join(lines))
    train = tmp_path / "data/mine/train"
    train.mkdir(parents=True)
    write_table(train / "utt2spk", UTT2SPK)
    (train.parent / "stage_0_options").write_text("corpora a b\n")
    return tmp_path / "exp/mine/small"


def read(experiment_dir: Path) -> TrialTable:
    return read_trial_table(experiment_dir / "scores/calibration_trials")


def test_the_pairs_of_a_corpus_count_together_as_much_as_another_s(experiment_dir: Path) -> None:
    trials = read(experiment_dir)
    assert balance_corpora(trials, UTT2SPK, ["a", "b"]).tolist() == [1, 0.5, 0.5, 1, 1]
    one = balance_corpora(trials, UTT2SPK, [])
    assert one.tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 3, 1 / 2, 1 / 3])


def test_error_rates_are_means_over_the_corpora(experiment_dir: Path, tmp_path: Path) -> None:
    table = learn_decisions(experiment_dir, "finetuning", "cosine", tmp_path / "data/mine/train")
    assert table is not None
    assert (table.num_speakers, table.num_target, table.num_nontarget) == (4, 2, 3)
    assert table.error_rates(0.15) == pytest.approx((0.75, 0), abs=0.01)  # 1 of 2, and 1 of 1
    assert table.error_rates(0.5) == pytest.approx((0.5, 0.5), abs=0.01)
    assert table.error_rates(0.7) == pytest.approx((0, 0.5), abs=0.01)


def test_without_scores_nothing_is_learnt(experiment_dir: Path, tmp_path: Path) -> None:
    train_dir = tmp_path / "data/mine/train"
    assert learn_decisions(experiment_dir, "finetuning", "plda", train_dir) is None
    (experiment_dir / "scores/calibration_trials").unlink()
    assert learn_decisions(experiment_dir, "finetuning", "cosine", train_dir) is None


def test_scores_that_fall_for_one_speaker_teach_nothing(
    experiment_dir: Path, tmp_path: Path
) -> None:
    path = experiment_dir / "scores/finetuning.calibration_trials.cosine"
    lines = [line.split() for line in path.read_text().splitlines()]
    path.write_text("".join(f"{a} {b} {-float(score)}\n" for a, b, score in lines))
    with pytest.raises(ValueError, match=r"no higher than those of two: .* train longer"):
        learn_decisions(experiment_dir, "finetuning", "cosine", tmp_path / "data/mine/train")
