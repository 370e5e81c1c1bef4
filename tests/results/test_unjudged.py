"""Lists of targets alone, or of nontargets: their scores are shown, and nothing is computed."""

import sys
from pathlib import Path

import pytest

import compute_metrics
from deep_speaker.results.computation import compute_rows
from deep_speaker.results.unjudged import describe_unjudged
from support.hand_scored import TRIALS, make_data_dir, write_scores

MINE = "a1 a2 target 0.9\nb1 b2 target 0.25\n"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return make_data_dir(tmp_path)


def test_the_scores_of_such_a_list_stand_below_its_counts(data_dir: Path) -> None:
    write_scores(data_dir, "trials_mine", MINE)
    scores = data_dir.parent / "scores"
    rows = compute_rows(data_dir, scores, ["good"])
    assert {row["trials"] for row in rows} == {"trials", "one_plus_99"}
    assert describe_unjudged(data_dir, scores, ["good"], rows) == [
        "mine: 2 target and 0 nontarget trials, and error rates need both kinds. Scores (enroll, "
        "test, score):",
        f"{scores}/good.trials_mine.cosine:",
        "  a1 a2 0.9",
        "  b1 b2 0.25",
    ]


@pytest.mark.parametrize(("count", "shown"), [(10, 10), (11, 10)])
def test_of_many_scores_the_first_are_shown(data_dir: Path, count: int, shown: int) -> None:
    text = "".join(f"a1 b{i} nontarget 0.{i}\n" for i in range(count))
    write_scores(data_dir, "trials_mine", text)
    lines = describe_unjudged(
        data_dir, data_dir.parent / "scores", ["good"], [{"trials": "trials"}]
    )
    of_mine = lines[lines.index(f"{data_dir.parent}/scores/good.trials_mine.cosine:") + 1 :]
    assert of_mine[:shown] == [f"  a1 b{i} 0.{i}" for i in range(shown)]
    assert of_mine[shown:] == ["  ..."] * (count > shown)


def test_without_any_other_list_earlier_results_are_removed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = data_dir.parent
    words = ["compute_metrics.py", str(data_dir), str(experiment), "good"]
    monkeypatch.setattr(sys, "argv", words)
    compute_metrics.main()
    assert (experiment / "results.json").exists()
    (experiment / "report.html").write_text("of before")
    (data_dir / "trials_one_plus_99").unlink()
    write_scores(data_dir, "trials", TRIALS.splitlines()[3])
    capsys.readouterr()
    compute_metrics.main()
    assert capsys.readouterr().out.splitlines()[-1] == "  a1 b1 0.5"
    assert not {"results.json", "report.html"} & {path.name for path in experiment.iterdir()}
