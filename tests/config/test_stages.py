"""Stages: numbered in one place, which run.sh and all messages agree with."""

import re
from pathlib import Path

from deep_speaker.config.stages import MAKES, Stage, missing_table

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "pyscripts/deep_speaker"


def test_run_sh_has_these_stages() -> None:
    found = re.findall(r"^if run_stage (\d) ", (ROOT / "run.sh").read_text(), re.MULTILINE)
    assert list(map(int, found)) == list(Stage) == list(MAKES)


def test_a_missing_table_is_asked_of_the_stage_that_makes_it() -> None:
    for name, stage in (("wav.scp", 0), ("feats.scp", 1), ("num_utts.ark", 4)):
        assert missing_table(Path("d") / name) == (
            f"d/{name} is missing: run stage {stage} first (the same command with --stage {stage})"
        )


def test_no_message_numbers_a_stage_by_itself() -> None:
    numbered = re.compile(r"(run|from|with --) ?stages? \d")
    texts = {path: path.read_text() for path in LIBRARY.rglob("*.py")}
    assert [path for path, text in texts.items() if numbered.search(text)] == [
        LIBRARY / "config/stages.py"
    ]
