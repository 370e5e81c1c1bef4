"""The table of results, from hand-made rows."""

from typing import Any

import pytest

from deep_speaker.results.rows import CONVENTIONS
from deep_speaker.results.text_table import format_results
from support import result_rows


def make_row(phase: str, backend: str = "cosine", trials: str = "trials", subset: str = "all",
             **figures: Any) -> dict[str, Any]:  # fmt: skip
    costs = {"0.01": 0.5, "0.05": 0.25, "0.001": 1.0}
    return result_rows.make_row(
        phase=phase, backend=backend, trials=trials, subset=subset, num_target=30,
        num_nontarget=400, eer_percent=12.3456, min_dcf=costs,
        interval_95={"eer_percent": [10.0, 15.125], "min_dcf": {}},
    ) | figures  # fmt: skip


CALIBRATED: dict[str, Any] = {"act_dcf": {"0.01": 0.625, "0.05": 2, "0.001": 3}, "cllr": 0.0625}
INTERVAL = {"identification_accuracy_percent": [30.0, 40.0]}
PARTNER: dict[str, Any] = {
    "trials": "one_plus_99",
    "identification_accuracy_percent": 87.5,
    "interval_95": {"identification_accuracy_percent": [80.0, 90.0]},
}


def test_the_table_by_hand() -> None:
    """Calibrated or not, with or without same-sex trials, a partner list and an interval."""
    rows = [
        make_row("finetuning", **CALIBRATED),
        make_row("finetuning", subset="same_sex", eer_percent=20.0),
        make_row("finetuning", **PARTNER),
        make_row("finetuning", **PARTNER, subset="same_sex"),
        make_row("finetuning", "kaldi_plda", interval_95={"eer_percent": None}),
        make_row("untrained", "kaldi_plda", eer_percent=100.0),
    ]
    assert format_results(rows).splitlines()[:5] == [
        "phase       back end     EER %            95 %"
        "  same-sex EER %  minDCF(0.01)  minDCF(0.05)  "
        "minDCF(0.001)  actDCF(0.01)   Cllr  ACC %",
        "finetuning  cosine       12.35  [10.00, 15.12]"
        "           20.00         0.500         0.250  "
        "        1.000         0.625  0.062  87.50",
        "            kaldi_plda   12.35               -"
        "               -         0.500         0.250  "
        "        1.000             -      -      -",
        "untrained   kaldi_plda  100.00  [10.00, 15.12]"
        "               -         0.500         0.250  "
        "        1.000             -      -      -",
        "",
    ]


def test_below_stand_counts_and_conventions() -> None:
    rows = [make_row("p"), make_row("p", subset="same_sex", num_nontarget=7), make_row("q")]
    notes = format_results([*rows, make_row("p", **PARTNER)]).split("\n\n")[1]
    assert notes.splitlines()[:3] == [
        "trials, all: 30 target, 400 nontarget trials",
        "trials, same_sex: 30 target, 7 nontarget trials",
        "one_plus_99, all: 30 target, 400 nontarget trials",
    ]
    assert notes.splitlines()[3:] == list(CONVENTIONS)


def test_each_list_has_a_table_with_its_partner() -> None:
    rows = [
        make_row(phase, trials=name, eer_percent=error)
        for phase, error in (("p", 1.0), ("q", 2.0))
        for name in ("trials", "ar", "enrolment_2")
    ]
    rows += [make_row("q", **PARTNER | {"trials": "ar_one_plus_99"})]
    tables = [text.splitlines() for text in format_results(rows).split("\n\n")]
    assert [table[0] for table in tables[:3]] == ["trials", "ar", "enrolment_2"]
    for table in tables[:3]:
        assert table[1].split()[:3] == ["phase", "back", "end"]
        assert [line.split()[0] for line in table[2:]] == ["p", "q"]
        assert [line.split()[2] for line in table[2:]] == ["1.00", "2.00"]
        accuracies = [line.split()[-1] for line in table[2:]]
        assert accuracies == (["-", "87.50"] if table[0] == "ar" else ["-", "-"])
    alone = [row for row in rows if row["trials"] == "ar"]
    assert format_results(alone).splitlines()[0].startswith("phase")  # one list needs no name


@pytest.mark.parametrize("rank5", [75.0, None])
def test_identification_has_a_table_of_its_own(rank5: float | None) -> None:
    figures: dict[str, Any] = {"identification_accuracy_percent": 100 / 3}
    if rank5 is not None:
        figures["rank5_accuracy_percent"] = rank5
    rows = [
        make_row("p", "plda", "ar_identification", **figures, interval_95=INTERVAL),
        make_row(
            "p", "plda", "ar_identification", "same_sex", identification_accuracy_percent=50.0
        ),
        make_row("q", "cosine", "ar_identification", **figures),
    ]
    lines = format_results(rows).splitlines()
    shown = "75.00" if rank5 else "    -"
    assert lines[:3] == [
        "phase  back end  rank-1 %            95 %  rank-5 %  same-sex rank-1 %",
        f"p      plda         33.33  [30.00, 40.00]     {shown}              50.00",
        f"q      cosine       33.33               -     {shown}                  -",
    ]


def test_what_was_not_computed_is_a_dash() -> None:
    rows = [make_row("p"), make_row("q", interval_95={})]
    for some in (rows, [make_row("p", **PARTNER)]):
        text = format_results(some)
        assert " nan" not in text.lower()
        assert "None" not in text
