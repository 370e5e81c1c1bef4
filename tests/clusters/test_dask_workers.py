"""Dask by the name of a scheduler, or of a queue whose jobs its workers are."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from deep_speaker.clusters import dask_workers
from deep_speaker.clusters.dask_workers import connect
from deep_speaker.system import command
from support.programs import is_gone, wait_until

OPTIONS = "jobqueue: {slurm: {cores: 1, memory: 1GB, death-timeout: 30}}\n"
# Stand-ins for Slurm's programs: a job is a group of processes; its script is a file of a moment.
SBATCH = """#!/usr/bin/env bash
setsid bash -c "$(cat "$1")" > /dev/null 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/usr/bin/env bash
kill -- "-$1"
"""


def test_jobs_of_slurm_import_this_recipe_and_end_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "cluster.yaml").write_text(OPTIONS)
    with connect(str(tmp_path / "cluster.yaml"), 1) as cluster:
        assert list(cluster.map(command.positive_int, ["3", "4"])) == [3, 4]
        (process,) = cluster.map(eval, ["__import__('os').getpid()"])
        assert process != os.getpid()
        assert not is_gone(process)
    wait_until(lambda: is_gone(process))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("slrum", "--dask slrum: expected tcp://host:port of a scheduler, one of .*slurm"),
        ("none.yaml", "--dask none.yaml: no such file"),
        ("two.yaml", r"two.yaml: expected one section below 'jobqueue:', got \['sge', 'lsf'\]"),
        ("slurm", "--dask slurm: no program 'sbatch' in PATH"),
    ],
)
def test_what_is_no_cluster_is_named(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    Path("two.yaml").write_text("jobqueue: {sge: {}, lsf: {}}\n")
    with pytest.raises(ValueError, match=told), connect(name, 1):
        pass


REFUSED = """
from pathlib import Path
from deep_speaker.clusters.dask_workers import connect
from deep_speaker.system import command
def main():
    with connect("cluster.yaml", 2):
        pass
command.run(main)
"""


def test_jobs_that_the_queue_refuses_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'invalid partition x' >&2; exit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    (tmp_path / "cluster.yaml").write_text(OPTIONS)
    done = subprocess.run(
        [sys.executable, "-c", REFUSED],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert "--dask cluster.yaml: sbatch does not take its jobs: " in line
    assert line.endswith("invalid partition x")


def test_workers_without_this_recipe_are_named() -> None:
    client = SimpleNamespace(nthreads=lambda: {"tcp://a:1": 1}, run=lambda *_: {"tcp://a:1": None})
    with pytest.raises(ValueError, match="--dask x: tcp://a:1 cannot import this recipe: start it"):
        dask_workers.check_workers(client, "x")
