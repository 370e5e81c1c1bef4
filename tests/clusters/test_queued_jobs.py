"""Kaldi's scripts for jobs: how they are called, and what becomes of jobs that fail."""

import logging
import re
from pathlib import Path

import pytest

from deep_speaker.clusters.queued_jobs import QueuedJobs, find_script
from support.cluster_runs import QUEUE


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
    return path


def test_jobs_share_the_items_and_outputs_come_in_their_order(folder: Path) -> None:
    numbers = QueuedJobs(f"{QUEUE} --mem 1G", 3, "count").map(int, map(str, range(7)))
    assert list(numbers) == list(range(7))
    assert list(QueuedJobs(str(QUEUE), 3, "count").map(int, [])) == []
    assert sorted(path.name for path in (folder / "log").iterdir()) == [
        f"count.1.{job}.log" for job in (1, 2, 3)
    ]


def test_an_error_of_the_work_is_raised_at_once(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"invalid literal for int.* 'b'"):
        list(QueuedJobs(str(QUEUE), 1, "count").map(int, ["1", "b"]))
    assert [path.name for path in (folder / "log").iterdir()] == ["count.1.1.log"]


def test_jobs_that_fail_again_and_again_end_the_command(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = write_script(folder / "fail.pl", 'echo "$@" >> calls; exit 1')
    log = rf"{folder}/log/count\.3\.1\.log"
    with pytest.raises(OSError, match=f"3 parts failed 3 times under {script}; see {log}"):
        list(QueuedJobs(f"{script} --gpu 1", 2, "count").map(int, "123"))
    calls = Path("calls").read_text().splitlines()
    assert len(calls) == 3
    form = rf"--gpu 1 JOB=1:2 {folder}/log/count\.1\.JOB\.log .*run_jobs.py {folder}/log/.* 2 JOB"
    assert re.fullmatch(form, calls[0])
    assert [level for name, level, _ in caplog.record_tuples] == [logging.WARNING] * 3


def test_scripts_are_found_in_path_and_in_kaldi(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KALDI_ROOT", raising=False)
    with pytest.raises(ValueError, match=r"no program 'run\.pl' in PATH: set KALDI_ROOT"):
        find_script("run.pl --mem 4G")
    script = write_script(folder / "kaldi/egs/wsj/s5/utils/parallel/run.pl", "")
    monkeypatch.setenv("KALDI_ROOT", str(folder / "kaldi"))
    assert find_script("run.pl --mem 4G") == str(script)


def test_a_path_that_the_script_would_change_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_LOG", "JOBS/log/1")
    with pytest.raises(ValueError, match=r"JOBS/log/1.count: JOB in it is replaced"):
        QueuedJobs(str(QUEUE), 1, "count")
