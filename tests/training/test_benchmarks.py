"""The benchmarks of training run on a CPU too, on few chunks."""

import sys

import pytest

from benchmarks import gpu, training
from deep_speaker.networks.pace import Pace


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


def test_the_loader_and_products_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOADER_BATCHES", 2)
    found = training.time_loader(num_processes=2, num_rounds=2)
    assert len(found) == 2
    assert all(0 < seconds < 1 for seconds in found)
    assert len(training.time_product(Pace("float32", 1), 3, side=64)) == 3
