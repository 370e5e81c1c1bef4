"""The benchmarks of training run on a CPU too, on few chunks."""

import sys

import pytest

from benchmarks import gpu, training
from benchmarks.comparison import OURS


@pytest.fixture(autouse=True)
def few_features(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SPEAKERS": 12, "UTTERANCES": 3, "FRAMES": 220}.items():
        monkeypatch.setattr(training, name, value)


def test_the_benchmark_of_a_gpu_prints_a_row_for_each_precision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--device", "cpu", "--steps", "1", "--rounds", "1", "--speakers", "4"]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *options, "--network", "small ResCNN"])
    gpu.main()
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = [row[2:5] for row in rows if row[:2] == ["small", "ResCNN"]]
    assert found == [["4", "bfloat16", "no"], ["4", "float32", "no"]]


def test_the_loader_is_timed_in_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOADER_BATCHES", 2)
    with training.trainer_of("embedded.yaml", speakers_per_batch=4) as trainer:
        found = training.compare_loader(trainer, 2, augmented=False)
    assert found.sides[OURS].amount == 2 * 2 * 4 * training.LOADER_ROUNDS
    assert found.sides[OURS].speed > 0
