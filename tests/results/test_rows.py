"""Rows of results: read strictly, joined into lines of tables."""

import json
from pathlib import Path

import pytest

from deep_speaker.results.rows import interval_of, list_names, read_results, table_lines, value_of
from support.result_rows import make_row


def test_lines_join_a_list_its_same_sex_trials_and_its_partner() -> None:
    rows = [
        make_row(),
        make_row(backend="plda"),
        make_row(subset="same_sex", eer_percent=3.0),
        make_row(trials="one_plus_99", identification_accuracy_percent=90.0),
        make_row(trials="ar"),
    ]
    assert list_names(rows) == ["trials", "ar"]
    first, second = table_lines(rows, "trials")
    assert first == ("pretraining", "cosine", rows[0], rows[2], rows[3])
    assert second == ("pretraining", "plda", rows[1], {}, {})


def test_figures_and_intervals() -> None:
    row = make_row(interval_95={"eer_percent": [1, 3], "min_dcf": {"0.01": [0.2, 0.4]}, "x": None})
    assert value_of(row, "min_dcf", "0.01") == 0.3
    assert value_of(row, "act_dcf", "0.01") is None
    assert interval_of(row, "eer_percent") == (1, 3)
    assert interval_of(row, "min_dcf", "0.01") == (0.2, 0.4)
    assert interval_of(row, "cllr") is interval_of(row, "x") is interval_of({}, "cllr") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is missing: run stage 6"),
        ("[{", "not JSON"),
        ("[]", "expected a list of rows"),
        ('{"phase": "x"}', "expected a list of rows"),
        (json.dumps([make_row(), 1]), "row 2 is not of the present form"),
        (json.dumps([make_row(eer_percent="2")]), "row 1 is not of the present form"),
        (json.dumps([make_row(min_dcf={"0.01": 1})]), "row 1 is not of the present form"),
    ],
)
def test_broken_results_are_named(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=f"results.json.*{message}"):
        read_results(path)


def test_good_results_come_back(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([make_row()]))
    assert read_results(path) == [make_row()]
