"""The summary of several lists: a line per phase, by the main and by the best back end."""

from pathlib import Path
from typing import Any

from deep_speaker.results.summary import BEST, MAIN, format_summary
from deep_speaker.results.text_table import format_results, write_tables
from support.result_rows import make_row


def make_rows() -> list[dict[str, Any]]:
    """Two lists, two phases, two back ends, the main one first; a partner and same-sex rows."""
    figures = {
        "statistics": {"plda": (8.0, 6.0), "cosine": (9.0, 5.0)},
        "pretraining": {"plda": (4.0, 1.0), "cosine": (3.0, 2.5)},
    }
    rows = [
        make_row(phase=phase, backend=backend, trials=name, eer_percent=error,
                 min_dcf={"0.01": error / 10, "0.05": 0.2, "0.001": 0.5})
        for phase, backends in figures.items()
        for i, name in enumerate(("clean", "noisy"))
        for backend, errors in backends.items()
        for error in (errors[i],)
    ]  # fmt: skip
    others = {"eer_percent": 0.01, "identification_accuracy_percent": 50.0}
    return [
        make_row(subset="same_sex", trials="clean", eer_percent=0.01),
        make_row(trials="clean_one_plus_99", **others),
        *rows,
    ]


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_tables_by_hand() -> None:
    errors, costs, best = format_summary(make_rows()).split("\n\n")
    assert words(errors)[0] == f"EER % {MAIN}".split()
    assert words(errors)[1:] == [
        ["phase", "back", "end", "clean", "noisy", "mean"],
        ["statistics", "plda", "8.00", "6.00", "7.00"],
        ["pretraining", "plda", "4.00", "1.00", "2.50"],
    ]
    assert words(costs)[0][0] == "minDCF(0.01)"
    assert words(costs)[3] == ["pretraining", "plda", "0.400", "0.100", "0.250"]
    assert words(best)[0] == f"EER % {BEST}".split()
    assert words(best)[1:] == [
        ["phase", "clean", "noisy", "mean"],
        ["statistics", "plda", "8.00", "cosine", "5.00", "6.50"],
        ["pretraining", "cosine", "3.00", "plda", "1.00", "2.00"],
    ]


def test_without_a_figure_on_a_list_there_is_no_mean() -> None:
    rows = [row for row in make_rows() if (row["trials"], row["phase"]) != ("noisy", "statistics")]
    errors = words(format_summary(rows).split("\n\n")[0])
    assert ["statistics", "plda", "8.00", "-", "-"] in errors


def test_identification_is_apart_and_more_is_better() -> None:
    shares = {"plda": 70.0, "cosine": 90.0}
    rows = [
        make_row(trials="identification", backend=name, identification_accuracy_percent=share)
        for name, share in shares.items()
    ]
    tables = format_summary([*make_rows(), *rows]).split("\n\n")
    assert [words(table)[0][0] for table in tables] == ["EER", "minDCF(0.01)", "EER"] + [
        "rank-1", "rank-5", "rank-1"
    ]  # fmt: skip
    assert words(tables[3])[2] == ["pretraining", "plda", "70.00", "70.00"]
    assert words(tables[5])[2] == ["pretraining", "cosine", "90.00", "90.00"]


def test_one_list_is_printed_whole_and_of_several_the_summary(tmp_path: Path) -> None:
    path, rows = tmp_path / "results.txt", make_rows()
    one = [row for row in rows if row["trials"].startswith("clean")]
    assert write_tables(path, one) == format_results(one)
    marked = [*rows[:-1], rows[-1] | {"stale": "x was made anew since"}]
    printed = write_tables(path, marked)
    assert printed.startswith(format_summary(marked))
    assert "Stale, as x was made anew since: pretraining by cosine. Run" in printed
    assert path.read_text() == format_results(marked) + "\n"
