"""Options of shell scripts: strict in name and kind; and run.sh's own checks before any work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """#!/usr/bin/env bash
# A script for the tests, which does nothing:
#
#   script.sh [--max-num-jobs N]
#
# Options:

set -euo pipefail
cd "$(dirname "$0")"

max_num_jobs=4          # processes, at least 1
corpus_dir=         # where the corpus lies
shuffle=false       # true or false
name=two            # a word
set=()              # a key and its value, as often as wanted

. {parse_options}

hidden=1
printf '%s\\n' "$max_num_jobs" "$corpus_dir" "$shuffle" "$name" "$hidden" "$#" \\
  ${{set[@]+"${{set[@]}}"}}
"""
DEFAULTS = ["4", "", "false", "two", "1", "0"]


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", *map(str, words)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "scripts of mine" / "script.sh"
    path.parent.mkdir()
    shutil.copy(ROOT / "local/parse_options.sh", path.parent)
    path.write_text(SCRIPT.format(parse_options="./parse_options.sh"))
    return path


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ([], {}),
        (["--max-num-jobs", "12"], {0: "12"}),
        (["--max_num_jobs", "12"], {0: "12"}),
        (["--max-num-jobs=12"], {0: "12"}),
        (["--max-num-jobs", "1", "--max-num-jobs", "2"], {0: "2"}),
        (["--corpus-dir", "/a b/$(x)*'c\""], {1: "/a b/$(x)*'c\""}),
        (["--corpus-dir=/a=b"], {1: "/a=b"}),
        (["--corpus-dir", "--odd"], {1: "--odd"}),
        (["--name", ""], {3: ""}),
        (["--name="], {3: ""}),
        (["--shuffle", "true", "--name", "7"], {2: "true", 3: "7"}),
    ],
)
def test_values_reach_their_variables(
    script: Path, tmp_path: Path, words: list[str], changed: dict[int, str]
) -> None:
    done = run(script, *words, cwd=tmp_path)
    expected = [changed.get(i, value) for i, value in enumerate(DEFAULTS)]
    assert done.stdout == "".join(f"{value}\n" for value in expected)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--max-num-job", "3"], "unknown option --max-num-job; see --help"),
        (["--max-num-job=3"], "unknown option --max-num-job; see --help"),
        (["--max-num-job"], "unknown option --max-num-job; see --help"),
        (["--hidden", "3"], "unknown option --hidden; see --help"),
        (["--PATH", "/"], "unknown option --PATH; see --help"),
        (["--script", "x"], "unknown option --script; see --help"),
        (["--max-num-jobs"], "option --max-num-jobs needs a value; see --help"),
        (["--corpus-dir"], "option --corpus-dir needs a value; see --help"),
        (["--max-num-jobs", "three"], "option --max-num-jobs takes a whole number, got 'three'"),
        (["--max-num-jobs", "-1"], "option --max-num-jobs takes a whole number, got '-1'"),
        (["--max-num-jobs", "1.5"], "option --max-num-jobs takes a whole number, got '1.5'"),
        (["--max-num-jobs="], "option --max-num-jobs takes a whole number, got ''"),
        (["--shuffle", "yes"], "option --shuffle takes true or false, got 'yes'"),
        (["-n", "3"], "unexpected argument '-n'; options are --name value; see --help"),
        (["stray"], "unexpected argument 'stray'; options are --name value; see --help"),
        (["--"], "unexpected argument '--'; options are --name value; see --help"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_1(
    script: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    done = run(script, *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"script.sh: {told}\n"


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_the_header_and_the_variables(script: Path, tmp_path: Path, word: str) -> None:
    done = run(script, "--max-num-jobs", "2", word, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "A script for the tests, which does nothing:"
    assert lines[4] == "Options:"
    described = [line.split(maxsplit=1) for line in lines if line.startswith("  --")]
    assert [name for name, _ in described] == [
        "--max-num-jobs",
        "--corpus-dir",
        "--shuffle",
        "--name",
        "--set",
    ]
    assert [text.split() for _, text in described] == [
        ["4", "processes,", "at", "least", "1"],
        ["where", "the", "corpus", "lies"],
        ["false", "true", "or", "false"],
        ["two", "a", "word"],
        ["a", "key", "and", "its", "value,", "as", "often", "as", "wanted"],
    ]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """run.sh as it is, in a place where the first thing after its checks is to say so."""
    folder = tmp_path_factory.mktemp("recipe")
    shutil.copy(ROOT / "run.sh", folder)
    for name in ("local", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "path.sh").write_text("echo the checks are passed\nexit 42\n")
    return folder


def test_run_sh_helps_from_anywhere_and_names_every_option(recipe: Path, tmp_path: Path) -> None:
    done = run(recipe / "run.sh", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for stage in range(7):
        assert f"\n  {stage}  " in done.stdout
    names = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  --")}
    variables = {
        "--" + line.split("=")[0].replace("_", "-")
        for line in (ROOT / "run.sh").read_text().split(". local/parse_options.sh")[0].splitlines()
        if "=" in line and line[0].islower() and " " not in line.split("=")[0]
    }
    assert names == variables >= {"--stage", "--stop-stage", "--config", "--corpus", "--nj"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--stag", "1"], "run.sh: unknown option --stag; see --help"),
        (["--stage", "x"], "run.sh: option --stage takes a whole number, got 'x'"),
        (["--stage"], "run.sh: option --stage needs a value; see --help"),
        (["--nj", "0"], "run.sh: --nj 0: expected a whole number of at least 1"),
        (["--nj", "two"], "run.sh: --nj two: expected a whole number of at least 1"),
        (["--threads", "0"], "run.sh: --threads 0: expected a whole number of at least 1"),
        (["--precision", "half"], "--precision half: expected auto, bfloat16 or float32"),
        (
            ["--corpus", "nonsense"],
            "--corpus nonsense: unknown; known: aishell cnceleb embedded folder kaldi lhotse "
            "librispeech timit vctk voxceleb",
        ),
        (["--stage", "3", "--stop-stage", "2"], "expected 0 <= stage <= stop-stage <= 6"),
        (["--stop-stage", "7"], "expected 0 <= stage <= stop-stage <= 6"),
        (["--config", "conf/nothing.yaml"], "--config conf/nothing.yaml: no such file"),
        (["--control", "yes"], "run.sh: option --control takes true or false, got 'yes'"),
        (["--resume", "yes"], "run.sh: --resume yes: expected auto, true or false"),
        (["embedded"], "run.sh: unexpected argument 'embedded'"),
        (["--noise-dir", "nowhere"], "run.sh: --noise-dir, --rir-dir: nowhere: no such folder"),
        (["--stage", "2", "--rir-dir", "."], "copies are made in stage 1, not from --stage 2 on"),
        (["--backend-dir", "x"], "--backend-dir x: holds no file plda, of Kaldi or of this recipe"),
        (["--adaptation-set", "x"], "--adaptation-set x: holds no feats.scp: run stages 0 and 1"),
        (["--prepare-options", "--x 'y"], "--prepare-options --x 'y: a quotation does not end"),
        (["--test-dir", "x"], "data/embedded has no training speakers: name weights to judge"),
        (["--test-dir", "x", "--noise-dir", "."], "copies are of training speakers, and data/em"),
        (
            ["--initial-model", "x"],
            "--initial-model x: no such file or folder; see models/, and ",
        ),
    ],
)
def test_run_sh_refuses_in_one_line_before_any_work(
    recipe: Path, words: list[str], told: str
) -> None:
    done = run("run.sh", *words, cwd=recipe)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert told in line


@pytest.mark.parametrize(
    "words", [[], ["--stage", "6"], ["--nj=3", "--corpus=folder", "--corpus-dir", "a b"]]
)
def test_run_sh_goes_on_with_what_is_right(recipe: Path, words: list[str]) -> None:
    done = run("run.sh", *words, cwd=recipe)
    assert (done.returncode, done.stdout) == (42, "the checks are passed\n")
    assert done.stderr == ""


def test_an_option_that_may_come_again_keeps_all_its_values(script: Path) -> None:
    done = run(script, "--set", "a=1", "--name", "x", "--set=b=[1, 2]", cwd=script.parent)
    assert done.stdout.splitlines()[-2:] == ["a=1", "b=[1, 2]"]
    assert run(script, cwd=script.parent).stdout.splitlines() == DEFAULTS
