"""Results of calibrated scores, by hand."""

import math
import re
from pathlib import Path

import pytest

from deep_speaker.results.computation import compute_rows
from deep_speaker.trials.models import write_models
from support.hand_scored import (
    ONE_PLUS_99,
    TRIALS,
    intervals_of,
    make_data_dir,
    row_of,
    write_backend,
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return make_data_dir(tmp_path)


# Scores of 0.6 are nine times as likely of targets as of nontargets, those of 0.4 a ninth.
CALIBRATION = {
    ("target", 0.6): 9,
    ("target", 0.4): 1,
    ("nontarget", 0.6): 2,
    ("nontarget", 0.4): 18,
}
SCALE, OFFSET = 10 * math.log(9), -5 * math.log(9)


def write_calibration(data_dir: Path, backend: str = "cosine", phase: str = "good") -> Path:
    """Calibration trials, of speakers who are not in the test set, and a phase's scores of them."""
    kinds = [key for key, count in CALIBRATION.items() for _ in range(count)]
    scores = data_dir.parent / "scores"
    (scores / "calibration_trials").write_text(
        "".join(f"t{i} t{i + 1} {kind}\n" for i, (kind, _) in enumerate(kinds))
    )
    path = scores / f"{phase}.calibration_trials.{backend}"
    path.write_text("".join(f"t{i} t{i + 1} {score}\n" for i, (_, score) in enumerate(kinds)))
    return path


def slow_cllr(text: str) -> float:
    losses: dict[str, list[float]] = {"target": [], "nontarget": []}
    for line in text.splitlines():
        kind, score = line.split()[2:]
        llr = SCALE * float(score) + OFFSET
        losses[kind].append(math.log2(1 + math.exp(-llr if kind == "target" else llr)))
    return sum(sum(values) / len(values) for values in losses.values()) / 2


def test_calibrated_figures_by_hand(data_dir: Path) -> None:
    """The log likelihood ratios are 8.8, 6.6 and -4.4 of targets, 0, -2.2 and -8.8 of nontargets;
    the thresholds 4.6 (0.01), 2.9 (0.05) and 6.9 (0.001)."""
    plain = row_of(data_dir, "trials")
    write_calibration(data_dir)
    row = row_of(data_dir, "trials")
    assert row["calibration"] == {
        "scale": pytest.approx(SCALE, rel=1e-3), "offset": pytest.approx(OFFSET, rel=1e-3),
    }  # fmt: skip
    assert row["act_dcf"] == pytest.approx({"0.01": 1 / 3, "0.05": 1 / 3, "0.001": 2 / 3}, abs=1e-5)
    assert row["cllr"] == pytest.approx(slow_cllr(TRIALS), abs=1e-4)
    added = {"act_dcf", "cllr", "calibration"}
    assert {key: row[key] for key in row if key not in {*added, "interval_95"}} == {
        key: value for key, value in plain.items() if key != "interval_95"
    }
    # Of the two same-sex nontargets, and for all lists, by the same calibration.
    lines = "\n".join(TRIALS.splitlines()[:4])
    assert row_of(data_dir, "trials", "same_sex")["cllr"] == pytest.approx(
        slow_cllr(lines), abs=1e-4
    )
    partner = row_of(data_dir, "one_plus_99")
    assert partner["calibration"] == row["calibration"]
    assert partner["cllr"] == pytest.approx(slow_cllr(ONE_PLUS_99), abs=1e-4)


def test_calibrated_figures_have_intervals(data_dir: Path) -> None:
    write_calibration(data_dir)
    row = row_of(data_dir, "trials")
    assert row["interval_95"] == intervals_of(TRIALS, **row["calibration"])
    low, high = row["interval_95"]["cllr"]
    assert low < row["cllr"] < high
    assert set(row["interval_95"]["act_dcf"]) == {"0.01", "0.05", "0.001"}


def test_only_what_scored_the_calibration_trials_is_calibrated(data_dir: Path) -> None:
    write_backend(data_dir, "plda", 2)
    write_backend(data_dir, "kaldi_plda", 3)
    write_backend(data_dir, "other", 4)
    write_calibration(data_dir, "plda")
    write_calibration(data_dir, "kaldi_plda")
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good", "reversed"])
    for row in rows:
        calibrated = row["phase"] == "good" and row["backend"] in ("plda", "kaldi_plda")
        for key in ("act_dcf", "cllr", "calibration"):
            assert (key in row) == calibrated
        if row["trials"] == "trials":
            assert ("cllr" in row["interval_95"]) == calibrated


def test_lists_that_enrol_models_or_speakers_are_not_calibrated(data_dir: Path) -> None:
    """Pairs of utterances say nothing of them."""
    write_calibration(data_dir)
    for enroll in ("m", "a"):
        write_models(data_dir, {"m": ["a1", "a2"]})
        for path in (data_dir / "trials", data_dir.parent / "scores/good.trials.cosine"):
            path.write_text(path.read_text().replace("a1 b1", f"{enroll} b1", 1))
        rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
        by_list = {row["trials"]: "cllr" in row for row in rows}
        assert by_list == {"trials": False, "one_plus_99": True}


def test_without_their_list_calibration_scores_are_none(data_dir: Path) -> None:
    write_calibration(data_dir)
    (data_dir.parent / "scores/calibration_trials").unlink()
    assert "cllr" not in row_of(data_dir, "trials")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("t3 t4 0.6\n", "", r"1 of 30 .* t3 t4"),
        ("t3 t4 0.6", "t3 t4 -inf", r"1 of 30 .* finite"),
        ("t3 t4 0.6", "t3 t4", r"line 4: .*'enroll test score'"),
    ],
)
def test_scores_that_do_not_calibrate_are_named_once(
    old: str, new: str, reason: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_calibration(data_dir)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert len(rows) == 4
    assert not any("cllr" in row for row in rows)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"{path} ")
    assert re.search(reason, told)
