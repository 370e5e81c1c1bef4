"""The frame of run.sh's stages: whether one of training goes on with what it finds."""

import subprocess
from pathlib import Path

import pytest

RUN_STAGE = Path(__file__).parents[2] / "local" / "run_stage.sh"
SCRIPT = """
set -euo pipefail
stage=2 stop_stage=3 resume=$1 experiment=exp
. "$0"
run_stage 2 exp "Pre-train"
if resumes; then echo resumes; else echo anew; fi
[ "$2" = refused ] || date +%N > exp/output
[ "$2" != whole ] || finish_stage 2 exp
"""


def run_once(folder: Path, resume: str, how: str) -> str:
    words = ["bash", "-c", SCRIPT, str(RUN_STAGE), resume, how]
    return subprocess.run(
        words, cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        ("auto", ["anew", "resumes", "resumes", "anew"]),
        ("true", ["resumes"] * 4),
        ("false", ["anew"] * 4),
    ],
)
def test_a_stage_resumes_by_default_where_it_was_interrupted(
    resume: str, expected: list[str], tmp_path: Path
) -> None:
    runs = ["interrupted", "interrupted", "whole", "whole"]
    assert [run_once(tmp_path, resume, how) for how in runs] == expected


def test_a_stage_that_has_changed_nothing_was_never_begun(tmp_path: Path) -> None:
    mark = tmp_path / "exp/stage_2.unfinished"
    assert run_once(tmp_path, "auto", "refused") == "anew"
    assert not mark.exists()
    run_once(tmp_path, "auto", "interrupted")
    assert run_once(tmp_path, "auto", "refused") == "resumes"
    assert mark.exists()


@pytest.mark.parametrize("left", ["stage_4.unfinished", "pretraining.partial/last.pt"])
def test_training_that_is_whole_stays_where_a_later_stage_was_interrupted(
    left: str, tmp_path: Path
) -> None:
    (tmp_path / "exp" / left).parent.mkdir(parents=True)
    (tmp_path / "exp" / left).touch()
    assert run_once(tmp_path, "auto", "whole") == "resumes"
    assert run_once(tmp_path, "false", "whole") == "anew"
