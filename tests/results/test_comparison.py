"""Experiments side by side: the Markdown by hand, and what is left out with a warning."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import compare_experiments as command
from deep_speaker.results.comparison import compare_experiments
from deep_speaker.results.rows import CONVENTIONS
from support.result_rows import make_row


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "results.json").write_text(json.dumps(rows))


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    folder = tmp_path / "exp"
    interval = {"eer_percent": [1.0, 3.25]}
    write(
        folder, "toy/small",
        [
            make_row(interval_95=interval),
            make_row(subset="same_sex", eer_percent=12.346),
            make_row(phase="finetuning", backend="plda", eer_percent=0.5, interval_95=interval,
                     act_dcf={"0.01": 0.6}, cllr=0.25),
            make_row(trials="one_plus_99", identification_accuracy_percent=90.0),
        ],
    )  # fmt: skip
    write(
        folder, "toy/large",
        [
            make_row(eer_percent=1.0, interval_95=interval),
            make_row(trials="ar_identification", identification_accuracy_percent=70.0),
            make_row(trials="ar_identification", identification_accuracy_percent=80.0,
                     rank5_accuracy_percent=95.0, phase="finetuning"),
        ],
    )  # fmt: skip
    return folder


TABLE = """\
## toy

| experiment | phase | back end | EER % | 95 % | same-sex EER % \
| minDCF(0.01) | minDCF(0.05) | minDCF(0.001) | actDCF(0.01) | Cllr | ACC % |
|:-|:-|:-|-:|-:|-:|-:|-:|-:|-:|-:|-:|
| small | finetuning | plda | 0.50 | [1.00, 3.25] | - | 0.300 | 0.200 | 0.500 | 0.600 | 0.250 | - |
| large | pretraining | cosine | 1.00 | [1.00, 3.25] | - | 0.300 | 0.200 | 0.500 | - | - | - |
| small | pretraining | cosine | 2.00 | [1.00, 3.25] | 12.35 \
| 0.300 | 0.200 | 0.500 | - | - | 90.00 |

10 target, 90 nontarget trials.
"""
IDENTIFICATION = """\
## toy, ar_identification

| experiment | phase | back end | rank-1 % | 95 % | rank-5 % | same-sex rank-1 % |
|:-|:-|:-|-:|-:|-:|-:|
| large | finetuning | cosine | 80.00 | - | 95.00 | - |
| large | pretraining | cosine | 70.00 | - | - | - |

10 target, 90 nontarget trials.
"""


def squeezed(text: str) -> str:
    """Return a text with one space or dash in place of many."""
    return re.sub(r"([ -])\1+", r"\1", text)


def test_the_tables_by_hand(experiments: Path) -> None:
    conventions = "\n".join(f"- {line}" for line in CONVENTIONS)
    text = squeezed(compare_experiments(experiments))
    assert text == "\n".join([TABLE, IDENTIFICATION, conventions])


def test_columns_are_aligned_and_pipes_escaped(tmp_path: Path) -> None:
    write(tmp_path, "toy/a|b", [make_row(), make_row(phase="finetuning", eer_percent=100.0)])
    lines = compare_experiments(tmp_path).splitlines()[2:6]
    assert len({len(line) for line in lines}) == 1
    places = [[match.start() for match in re.finditer(r"(?<!\\)\|", line)] for line in lines]
    assert places[0] == places[1] == places[2] == places[3]
    assert "a\\|b" in lines[2]


def test_floors_that_experiments_share_have_one_line(tmp_path: Path) -> None:
    for name, error in (("a", 5.0), ("b", 5.0), ("c", 7.0)):
        floor = make_row(phase="statistics", eer_percent=error)
        write(tmp_path, f"toy/{name}", [floor, make_row(phase="untrained")])
    text = compare_experiments(tmp_path)
    lines = [line.split("|")[1:3] for line in text.splitlines() if "| cosine " in line]
    assert [[word.strip() for word in line] for line in lines] == [
        ["(3 experiments)", "untrained"], ["(2 experiments)", "statistics"], ["c", "statistics"],
    ]  # fmt: skip


def test_one_list_alone(experiments: Path) -> None:
    text = squeezed(compare_experiments(experiments, "ar_identification"))
    assert text.startswith(IDENTIFICATION)
    assert "## toy\n" not in text


def test_the_partner_of_a_list_is_a_name_of_it_too(experiments: Path) -> None:
    assert compare_experiments(experiments, "one_plus_99") == compare_experiments(
        experiments, "trials"
    )


def test_an_unknown_list_is_named_with_those_there_are(experiments: Path) -> None:
    with pytest.raises(ValueError, match=r"'hard'.* ar_identification, trials"):
        compare_experiments(experiments, "hard")


def test_broken_and_old_results_are_named(
    experiments: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(experiments, "toy/broken", [{"phase": "x"}])
    write(experiments, "other/old", [make_row()])
    text = compare_experiments(experiments)
    assert "## other" in text
    assert text.count("broken") == 0
    messages = sorted(record.getMessage() for record in caplog.records)
    assert len(messages) == 2
    assert "other/old/results.json" in messages[0]
    assert "toy/broken/results.json: row 1 " in messages[1]


def test_other_trials_are_counted_apart(experiments: Path) -> None:
    write(experiments, "toy/other", [make_row(num_target=9, interval_95={})])
    text = compare_experiments(experiments, "trials")
    assert re.search(r"10 target, 90 non.*\(large, small\).* 9 target, 90 non.*\(other\)", text)


def test_no_results_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"exp: .*<corpus>/<experiment>/results\.json"):
        compare_experiments(tmp_path / "exp")
    write(tmp_path, "toy/broken", [])
    with pytest.raises(ValueError, match="no good"):
        compare_experiments(tmp_path)


def test_the_command(
    experiments: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(experiments.parent)
    monkeypatch.setattr("sys.argv", ["compare_experiments.py", "--trials", "trials"])
    command.main()
    assert capsys.readouterr().out.startswith("## toy\n")
