"""Rows of identification, and of models of several utterances, by hand."""

from pathlib import Path

import pytest

from deep_speaker.kaldi.tables import write_table
from deep_speaker.trials.models import write_models
from support.hand_scored import intervals_of, make_data_dir, row_of, write_scores


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return make_data_dir(tmp_path)


MODELS = {"m": ["a1", "a2"], "n": ["b1"], "w": ["c1"]}
# The tests are a3, b2 and c2; a3 is found, b2 is second, c2 ties with m.
IDENTIFICATION = """\
m a3 target 0.9
n a3 nontarget 0.5
w a3 nontarget 0.4
m b2 nontarget 0.6
n b2 target 0.5
w b2 nontarget 0.1
m c2 nontarget 0.3
n c2 nontarget 0.1
w c2 target 0.3
"""


@pytest.fixture
def model_dir(data_dir: Path) -> Path:
    """The lists of identification and of models of several utterances beside the default two."""
    utt2spk = {f"{speaker}{i}": speaker for speaker in "abc" for i in "123"}
    write_table(data_dir / "utt2spk", utt2spk)
    write_models(data_dir, MODELS)
    write_scores(data_dir, "trials_identification", IDENTIFICATION)
    write_scores(data_dir, "trials_enrolment_2", IDENTIFICATION)
    anchors = "m a3 target 0.9\nm b2 nontarget 0.6\nm c2 nontarget 0.3\n"
    write_scores(data_dir, "trials_enrolment_2_one_plus_99", anchors)
    return data_dir


def test_identification_is_counted_per_test(model_dir: Path) -> None:
    row = row_of(model_dir, "identification")
    assert row["identification_accuracy_percent"] == pytest.approx(100 / 3, abs=1e-4)
    assert "rank5_accuracy_percent" not in row  # of three models
    assert (row["num_target"], row["num_nontarget"]) == (3, 6)
    # Without w, a3 is found and b2 is not; c2 meets no other woman.
    row = row_of(model_dir, "identification", "same_sex")
    assert row["identification_accuracy_percent"] == 50
    assert (row["num_target"], row["num_nontarget"]) == (3, 2)


@pytest.mark.parametrize(("num_models", "shown"), [(5, False), (6, True), (7, True)])
def test_rank_5_is_of_more_than_five_models(num_models: int, shown: bool, data_dir: Path) -> None:
    """Test t1 is the last of all, t2 the fifth, t3 the first."""
    ranks = {"t1": num_models, "t2": 5, "t3": 1}
    lines = [
        f"m{i} {test} {'target' if i == rank else 'nontarget'} {-i}\n"
        for test, rank in ranks.items()
        for i in range(1, num_models + 1)
    ]
    write_scores(data_dir, "trials_ar_identification", "".join(lines))
    row = row_of(data_dir, "ar_identification")
    assert row["identification_accuracy_percent"] == pytest.approx(100 / 3, abs=1e-4)
    assert row.get("rank5_accuracy_percent") == (
        pytest.approx(200 / 3, abs=1e-4) if shown else None
    )
    assert set(row["interval_95"]) == {"identification_accuracy_percent"}


def test_models_of_several_utterances_are_verified_like_any_other(model_dir: Path) -> None:
    """n n (n t) n (n t) n t: above 0.4, a target of three and two nontargets of six are wrong."""
    row = row_of(model_dir, "enrolment_2")
    assert row["eer_percent"] == pytest.approx(100 / 3, abs=1e-4)
    assert "identification_accuracy_percent" not in row
    partner = row_of(model_dir, "enrolment_2_one_plus_99")
    assert partner["identification_accuracy_percent"] == 100  # m's own scores above the others


def test_intervals_of_models_resample_their_speakers(model_dir: Path) -> None:
    """The model m is a's, n is b's and w is c's."""
    lines = IDENTIFICATION.replace("m ", "a ").replace("n ", "b ").replace("w ", "c ")
    assert row_of(model_dir, "enrolment_2")["interval_95"] == intervals_of(lines)
