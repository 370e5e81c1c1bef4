"""Where results come from: sizes, times, versions, commit."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import write_table
from deep_speaker.report import provenance
from deep_speaker.report.provenance import (
    SetSize,
    num_parameters,
    set_size,
    stage_times,
    versions,
)
from deep_speaker.system.files import RECIPE
from deep_speaker.system.sums import recipe_commit
from support.html_pages import Page, report
from support.report_experiments import Made
from support.tiny_data import make_experiment


def test_the_size_of_a_set(tmp_path: Path) -> None:
    assert set_size(tmp_path / "train") is None
    write_table(tmp_path / "train/utt2spk", {"a-1": "a", "a-2": "a", "b-1": "b"})
    assert set_size(tmp_path / "train") == SetSize("train", 2, 3, None)
    write_table(tmp_path / "train/utt2dur", {"a-1": 1800, "a-2": 900, "b-1": 900})
    assert set_size(tmp_path / "train") == SetSize("train", 2, 3, 1.0)


def test_times_of_both_folders_by_stage(tmp_path: Path) -> None:
    write_table(tmp_path / "exp/stage_seconds", {"stage_2": 7.5, "stage_3": 2})
    write_table(tmp_path / "data/stage_seconds", {"stage_0": 1})
    times = stage_times(tmp_path / "data", tmp_path / "exp", tmp_path / "none")
    assert [(time.stage, time.seconds) for time in times] == [(0, 1), (2, 7.5), (3, 2)]
    assert times[1].what == "pre-training"


def test_the_recipe_is_the_folder_of_run_sh_and_its_timed_stages_have_names() -> None:
    timed = re.findall(r"^ *finish_stage (\d)", (RECIPE / "run.sh").read_text(), re.MULTILINE)
    assert sorted({int(number) for number in timed}) == list(range(Stage.RESULTS))


@pytest.mark.parametrize("line", ["stage_0 soon", "first 1"])
def test_a_broken_time_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "stage_seconds").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=rf"stage_seconds: .*'stage_<number> <seconds>'.*'{line}'"):
        stage_times(tmp_path)


def test_versions() -> None:
    found = versions()
    assert found["numpy"] == np.__version__
    assert {"Python", "torch", "scikit-learn", "lhotse", "kaldiio", "system"} <= found.keys()
    assert int(found["CPU cores"]) >= 1


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_commit_of_a_git_tree(tmp_path: Path) -> None:
    assert recipe_commit(tmp_path) is None
    tree = tmp_path / "tree"
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        if words[0] == "init":
            tree.mkdir()
        subprocess.run(["git", "-C", tree, *identity, *words], check=True)
    commit = recipe_commit(tree)
    assert commit is not None
    assert len(commit) >= 7
    (tree / "file").write_text("")
    subprocess.run(["git", "-C", tree, "add", "file"], check=True)
    assert recipe_commit(tree) == f"{commit}-dirty"
    assert recipe_commit(tree / "file") is None


def test_the_size_of_the_network() -> None:
    assert num_parameters(make_experiment()) < num_parameters(
        make_experiment(network={"embedding_dim": 16})
    )


def test_a_config_of_another_day_costs_the_network_s_size(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    (made.experiment_dir / "config.yaml").write_text("networc: {}\n")
    text = Page(report(made)).text
    assert "networc" in text
    assert "parameters, without" not in text
    assert "config.yaml" in caplog.text


def test_the_config_that_scored_is_shown_where_it_is_another(made: Made) -> None:
    text = (made.experiment_dir / "config.yaml").read_text()
    scored = made.experiment_dir / "scores/config.yaml"
    scored.write_text(text)
    assert re.findall(r"<summary>(config.*)</summary>", report(made)) == ["config.yaml"]
    scored.write_text(f"{text}# <of another day>\n")
    html = report(made)
    assert re.findall(r"<summary>(config.*)</summary>", html) == [
        "config.yaml", "config.yaml of the scores (stage 5)"
    ]  # fmt: skip
    assert "# <of another day>" in Page(html).text


def test_the_commit_is_shown(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit_of(tree: Path) -> str:
        return "abc123" if (tree / "run.sh").is_file() else ""

    monkeypatch.setattr(provenance, "recipe_commit", commit_of)
    assert "recipe git abc123" in Page(report(made)).text
