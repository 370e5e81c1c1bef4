"""Where results come from: sizes, times, versions, commit."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import write_table
from deep_speaker.report.provenance import (
    RECIPE,
    SetSize,
    num_parameters,
    recipe_commit,
    set_size,
    stage_times,
    versions,
)
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
    with pytest.raises(ValueError, match=f"stage_seconds: expected .*, got '{line}'"):
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
