"""Results of hand-made scores: every figure by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

import compute_metrics
from deep_speaker.kaldi import columns
from deep_speaker.kaldi.tables import write_table
from deep_speaker.results.computation import compute_rows, write_results
from deep_speaker.results.text_table import format_results
from support.hand_scored import (
    TRIALS,
    intervals_of,
    make_data_dir,
    row_of,
    write_backend,
    write_scored,
    write_scores,
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return make_data_dir(tmp_path)


def costs(value: float) -> dict[str, float]:
    return pytest.approx({"0.01": value, "0.05": value, "0.001": value}, abs=1e-5)  # type: ignore[return-value]


def test_rows_by_hand(data_dir: Path) -> None:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    for row in rows:
        del row["interval_95"]  # see below
    assert rows == [
        {
            # Order of scores: n t n n t t.
            "phase": "good", "trials": "trials", "subset": "all", "backend": "cosine",
            "eer_percent": pytest.approx(100 / 3, abs=1e-4), "min_dcf": costs(1 / 3),
            "num_target": 3, "num_nontarget": 3,
        },
        {
            # Without c's trials with men: t n t t.
            "phase": "good", "trials": "trials", "subset": "same_sex", "backend": "cosine",
            "eer_percent": pytest.approx(100 / 3, abs=1e-4), "min_dcf": costs(1 / 3),
            "num_target": 3, "num_nontarget": 1,
        },
        {
            # n n (n t) (n t) n n t; the EER is on the piece from miss 1/3, false alarm 1/2 to
            # miss 2/3, false alarm 1/3: where 1/3 + x/3 = 1/2 - x/6, at x = 1/3.
            "phase": "good", "trials": "one_plus_99", "subset": "all", "backend": "cosine",
            "eer_percent": pytest.approx(100 * 4 / 9, abs=1e-4), "min_dcf": costs(2 / 3),
            "num_target": 3, "num_nontarget": 6,
            # a is found, b is not, c ties.
            "identification_accuracy_percent": pytest.approx(100 / 3, abs=1e-4),
        },
        {
            # n t t n t: from miss 0, false alarm 1/2 by 1/3, 1/2 and 2/3, 1/2 to 2/3, 0.
            "phase": "good", "trials": "one_plus_99", "subset": "same_sex", "backend": "cosine",
            "eer_percent": 50, "min_dcf": costs(2 / 3),
            "num_target": 3, "num_nontarget": 2,
            "identification_accuracy_percent": 100,  # of a and b; c has no negative of her sex
        },
    ]  # fmt: skip


def test_phases_keep_their_order_and_their_own_scores(data_dir: Path) -> None:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["reversed", "good"])
    assert [row["phase"] for row in rows] == ["reversed"] * 4 + ["good"] * 4
    errors = [row["eer_percent"] for row in rows if row["subset"] == "all"]
    assert errors[0] == pytest.approx(200 / 3, abs=1e-4)
    assert errors[2] == pytest.approx(100 / 3, abs=1e-4)


@pytest.mark.parametrize("known", [{}, {"a": "m", "b": "m"}])
def test_without_the_sex_of_all_speakers_there_is_no_same_sex_row(
    known: dict[str, str], data_dir: Path
) -> None:
    (data_dir / "spk2gender").unlink()
    if known:
        write_table(data_dir / "spk2gender", known)
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert [row["subset"] for row in rows] == ["all", "all"]


def test_same_sex_rows_need_the_sexes_of_the_list_s_speakers_alone(data_dir: Path) -> None:
    write_table(data_dir / "spk2gender", {"a": "m", "b": "m"})
    lines = TRIALS.splitlines()[:2] + TRIALS.splitlines()[3:4]  # c is in none
    (data_dir / "trials_men").write_text("".join(f"{line[:-4]}\n" for line in lines))
    (data_dir.parent / "scores/good.trials_men.cosine").write_text("a1 a2 3\nb1 b2 2\na1 b1 1\n")
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert [(row["trials"], row["subset"]) for row in rows] == [
        ("trials", "all"), ("one_plus_99", "all"), ("men", "all"), ("men", "same_sex"),
    ]  # fmt: skip
    assert rows[-1]["eer_percent"] == 0


def test_a_subset_without_nontargets_has_no_row(data_dir: Path) -> None:
    write_table(data_dir / "spk2gender", {"a": "m", "b": "f", "c": "f"})
    write_scores(data_dir, "trials_two", "a1 a2 target 1\na1 b1 nontarget 0\n")
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    found = [(row["trials"], row["subset"]) for row in rows]
    assert ("two", "all") in found
    assert ("two", "same_sex") not in found
    assert ("trials", "same_sex") in found


def test_a_phase_without_scores_is_refused(data_dir: Path) -> None:
    with pytest.raises(ValueError, match=r"untrained\.trials\.\* .*stage 5"):
        compute_rows(data_dir, data_dir.parent / "scores", ["good", "untrained"])


def test_scores_that_are_not_numbers_are_refused(data_dir: Path) -> None:
    path = data_dir.parent / "scores/good.trials.cosine"
    path.write_text(path.read_text().replace("0.8", "nan"))
    with pytest.raises(ValueError, match=r"good\.trials\.cosine: 1 of 6"):
        compute_rows(data_dir, data_dir.parent / "scores", ["good"])


def test_results_are_json_that_reads_back(data_dir: Path, tmp_path: Path) -> None:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    write_results(tmp_path / "results.json", rows)
    assert json.loads((tmp_path / "results.json").read_text()) == rows


def test_lists_have_rows_each(data_dir: Path) -> None:
    scores = data_dir.parent / "scores"
    for name in ("trials", "trials_one_plus_99"):
        (data_dir / name).unlink()
    write_scored(data_dir, scores, {"good": 1, "reversed": -1}, "trials_ar")
    write_scored(data_dir, scores, {"good": -1, "reversed": 1}, "trials_zh")
    rows = compute_rows(data_dir, scores, ["reversed", "good"])
    lists = ["ar", "ar_one_plus_99", "zh", "zh_one_plus_99"]
    assert [(row["phase"], row["trials"], row["subset"]) for row in rows] == [
        (phase, name, subset)
        for phase in ("reversed", "good")
        for name in lists
        for subset in ("all", "same_sex")
    ]
    for row in rows:
        assert ("identification_accuracy_percent" in row) == row["trials"].endswith("_99")


def test_command_prints_the_table_and_writes_the_results(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(data_dir), str(data_dir.parent)]
    monkeypatch.setattr("sys.argv", ["compute_metrics.py", *folders, "reversed", "good"])
    compute_metrics.main()
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["reversed", "good"])
    assert json.loads((data_dir.parent / "results.json").read_text()) == rows
    assert capsys.readouterr().out == format_results(rows) + "\n"
    assert np.isfinite([row["eer_percent"] for row in rows]).all()


def test_every_back_end_that_scored_a_phase_has_rows(data_dir: Path) -> None:
    """Also one that this recipe does not know, last."""
    scores = data_dir.parent / "scores"
    cosines = compute_rows(data_dir, scores, ["good"])
    backwards = compute_rows(data_dir, scores, ["reversed"])
    write_backend(data_dir, "crop_distance", 2)
    write_backend(data_dir, "kaldi_plda", -1)
    write_backend(data_dir, "plda", 3)
    (scores / "good.trials.half.partial").write_text("")
    rows = compute_rows(data_dir, scores, ["good", "reversed"])
    expected = dict.fromkeys(("crop_distance", "cosine", "plda"), cosines)
    expected["kaldi_plda"] = backwards
    lists = list(dict.fromkeys(row["trials"] for row in cosines))
    assert (
        rows
        == [
            row | {"backend": backend, "phase": "good"}
            for name in lists
            for backend, of_backend in expected.items()
            for row in of_backend
            if row["trials"] == name
        ]
        + backwards
    )


@pytest.mark.parametrize("block_bytes", [1, 40])
def test_blocks_change_no_figure(
    block_bytes: int, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = data_dir.parent / "scores"
    expected = compute_rows(data_dir, scores, ["good"])
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    assert compute_rows(data_dir, scores, ["good"]) == expected


# Intervals


@pytest.mark.parametrize("subset", ["all", "same_sex"])
def test_intervals_resample_the_speakers_of_the_trials(subset: str, data_dir: Path) -> None:
    lines = TRIALS.splitlines()[: {"all": 6, "same_sex": 4}[subset]]
    row = row_of(data_dir, "trials", subset)
    assert row["interval_95"] == intervals_of("\n".join(lines))
    low, high = row["interval_95"]["eer_percent"]
    assert 0 <= low < row["eer_percent"] < high <= 100


def test_the_interval_of_an_accuracy_by_hand(data_dir: Path) -> None:
    """Of a, b and c only a is found: in 8 of 27 replicates a is not drawn, in 1 nobody else is."""
    row = row_of(data_dir, "one_plus_99")
    assert row["interval_95"] == {"identification_accuracy_percent": [0, 100]}
    # Among men, a and b are both found, always.
    row = row_of(data_dir, "one_plus_99", "same_sex")
    assert row["interval_95"] == {"identification_accuracy_percent": None}


def test_figures_that_hardly_vary_have_no_interval(data_dir: Path) -> None:
    """None reads back from JSON."""
    perfect = "a1 a2 target 1\nb1 b2 target 1\nc1 c2 target 1\na1 b1 nontarget 0\n"
    write_scores(data_dir, "trials_easy", perfect + "a1 c1 nontarget 0\nb1 c1 nontarget 0\n")
    row = row_of(data_dir, "easy")
    assert row["interval_95"]["eer_percent"] is None
    assert row["eer_percent"] == 0
