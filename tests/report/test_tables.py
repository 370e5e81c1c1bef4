"""Tables of the page: floors first, the best of the trained marked, no empty column."""

import pytest

from deep_speaker.report.tables import html_table
from deep_speaker.results.lists import table_lines
from support.result_rows import make_row


def test_cells_by_hand() -> None:
    interval = {"eer_percent": [1.0, 4.0]}
    rows = [
        make_row(eer_percent=2.0, interval_95=interval),
        make_row(phase="finetuning", eer_percent=1.5, interval_95={"eer_percent": [0.0, 16.0]}),
        make_row(phase="untrained", eer_percent=1.0),
        make_row(trials="one_plus_99", identification_accuracy_percent=90.0),
        make_row(phase="finetuning", trials="one_plus_99", identification_accuracy_percent=80.0),
    ]
    table = html_table("trials", table_lines(rows, "trials"), "all")
    assert table is not None
    assert [column.title for column in table.columns] == [
        "EER %", "minDCF(0.01)", "minDCF(0.05)", "minDCF(0.001)", "ACC %"
    ]  # fmt: skip
    assert [(line.phase, line.floor) for line in table.lines] == [
        ("untrained", True), ("pretraining", False), ("finetuning", False)
    ]  # fmt: skip
    errors = [line.cells[0] for line in table.lines]
    assert errors == [
        ("1.00", "", False), ("2.00", "[1.00, 4.00]", False), ("1.50", "[0.00, 16.00]", True)
    ]  # fmt: skip
    assert [line.cells[-1] for line in table.lines] == [
        ("-", "", False), ("90.00", "", True), ("80.00", "", False)
    ]  # fmt: skip
    # From 1 to 16 in four doublings; 0 has no place on such a scale but the end.
    strips = [line.strip for line in table.lines]
    assert strips[:2] == [None, (0, 25, 50)]
    assert strips[2] == pytest.approx((0, 14.62, 100), abs=0.01)  # log2(1.5) / 4
    assert table.counts == "100 trials: 10 target, 90 nontarget"


def test_identification_lists_have_their_own_figures() -> None:
    rows = [
        make_row(trials="identification", identification_accuracy_percent=70.0,
                 interval_95={"identification_accuracy_percent": [60.0, 80.0]}),
    ]  # fmt: skip
    table = html_table("identification", table_lines(rows, "identification"), "all")
    assert table is not None
    assert [column.title for column in table.columns] == ["rank-1 %"]
    assert table.lines[0].cells == [("70.00", "[60.00, 80.00]", True)]
    assert table.lines[0].strip is None


def test_no_rows_no_table() -> None:
    assert html_table("trials", table_lines([make_row()], "trials"), "same_sex") is None


def test_a_partner_alone_shows_its_accuracy() -> None:
    rows = [make_row(trials="hard_one_plus_99", identification_accuracy_percent=70.0)]
    table = html_table("hard", table_lines(rows, "hard"), "all")
    assert table is not None
    assert [column.title for column in table.columns] == ["ACC %"]
    assert table.counts == "100 trials: 10 target, 90 nontarget"
