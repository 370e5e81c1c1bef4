"""Rows of results: read strictly, their figures and intervals found by keys."""

import json
from pathlib import Path
from typing import Any

import pytest

from deep_speaker.results.rows import interval_of, read_results, value_of
from support.result_rows import make_row


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
        (None, r".*stage 6"),
        ("[{", "not JSON"),
        ("[]", r".*list of rows"),
        ('{"phase": "x"}', r".*list of rows"),
        (json.dumps([make_row(), 1]), "row 2 "),
        (json.dumps([make_row(eer_percent="2")]), r"row 1 .*eer_percent"),
        (json.dumps([make_row(num_target=None)]), r"row 1 .*num_target"),
    ],
)
def test_broken_results_are_named(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=rf"results\.json.*{message}"):
        read_results(path)


@pytest.mark.parametrize("row", [make_row(), make_row(min_dcf={"0.01": 1.0})])
def test_good_results_come_back(row: dict[str, Any], tmp_path: Path) -> None:
    """Also from a day on which there were fewer metrics."""
    path = tmp_path / "results.json"
    path.write_text(json.dumps([row]))
    assert read_results(path) == [row]
