"""run.sh with --cmd, --dask, and the cmd.sh of a Kaldi user."""

from pathlib import Path

import pytest

from support.cluster_runs import QUEUE
from support.recipe import Recipe

pytestmark = pytest.mark.slow

TINY = "--num-train-speakers 4 --num-test-speakers 2 --num-utterances 2"


def test_stage_1_runs_by_cmd_sh(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    (tmp_path / "cmd.sh").write_text(f'export train_cmd="{QUEUE} --mem 4G"\n')
    recipe.run("--stop-stage", "1", "--nj", "2", "--prepare-options", TINY)
    log = (tmp_path / "data/embedded/log/1.compute_features.1.1.log").read_text()
    assert "run_jobs.py" in log
    printed = recipe.run("--dask", "tcp://a:1", "--cmd", "run.pl", expect=1)
    assert printed == "run.sh: --dask tcp://a:1 --cmd run.pl: expected one of them\n"
