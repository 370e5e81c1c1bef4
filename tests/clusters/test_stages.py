"""Stages 1, 4 and 5 on a cluster make what they make here, byte for byte, whatever workers do."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deep_speaker.clusters import calls
from deep_speaker.clusters.dask_workers import connect
from support.cluster_runs import QUEUE, Made, Runs, dask_programs, short_shards

Programs = tuple[str, list[subprocess.Popen]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        short_shards(monkeypatch)
        yield Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def expected(runs: Runs) -> Made:
    """What the stages make in processes here."""
    made = runs()
    assert "3 of 80 utterances are bad and left out" in [message for _, message in made.messages]
    assert {
        "test/fbank/feats.12.ark",
        "x/xvectors_test/xvector.ark",
        "scored/scores/p.trials.plda",
    } < set(made.files)
    return made


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with dask_programs(tmp_path_factory.mktemp("dask")) as programs:
        yield programs


def test_dask_makes_the_same(runs: Runs, expected: Made, dask: Programs) -> None:
    assert runs("--dask", dask[0]) == expected


def test_a_killed_worker_costs_dask_a_retry(runs: Runs, expected: Made, dask: Programs) -> None:
    address, workers = dask
    assert runs("--dask", address, trap=True) == expected
    assert sorted(worker.poll() is None for worker in workers) == [False, True]


def test_workers_of_other_code_are_refused(dask: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "describe_code", lambda: "code of yesterday")
    told = "a worker on .* runs code .*, and this command code of yesterday: start the workers"
    with connect(dask[0], 1) as cluster, pytest.raises(ValueError, match=told):
        list(cluster.map(abs, [1]))


def test_queued_jobs_make_the_same_out_of_order_and_after_failures(
    runs: Runs, expected: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job fails before it begins, one is killed in the middle; both in stage 1."""
    monkeypatch.setenv("STAGE_LOG", str(tmp_path / "log/1"))
    monkeypatch.setenv("FAIL_ONCE", str(tmp_path / "fails"))
    (tmp_path / "fails").touch()
    made = runs("--cmd", f"{QUEUE} --mem 4G", trap=True)
    failures = [text for _, text in made.messages if "parts failed" in text]
    assert made.files == expected.files
    assert [message for message in made.messages if message[1] not in failures] == expected.messages
    assert 1 <= len(failures) <= 2
    logs = [path.name for path in (tmp_path / "log").iterdir()]
    assert {"1.tiny.1.1.log", "1.tiny.1.2.log", "1.tiny.2.1.log"} <= set(logs)
