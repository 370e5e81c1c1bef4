"""The command of stages 2 and 3, alone and on two ranks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import train_network
from deep_speaker.networks.checkpoints import load_checkpoint
from support.tiny_data import make_experiment, write_experiment
from support.training_runs import TINY, assert_same, run


def test_command_trains_a_phase(
    data_dir: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_experiment(tmp_path / "tiny.yaml", TINY)
    command = f"train_network.py --config {config} --phase pretraining --device cpu"
    command += " --precision float32 --threads 1"
    monkeypatch.setattr("sys.argv", [*command.split(), str(data_dir), str(tmp_path / "run")])
    train_network.main()
    assert_same(load_checkpoint(tmp_path / "run/last.pt"), load_checkpoint(pretrained / "last.pt"))


def run_ranks(data_dir: Path, output: Path, config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, train_network.__file__, "--ranks", "2", "--device", "cpu"]
    command += ["--phase", "finetuning", "--config", str(config), str(data_dir), str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_two_ranks_train_together(data_dir: Path, tmp_path: Path) -> None:
    """The first rank writes; negatives come from both, so the loss sees whole batches."""
    config = write_experiment(tmp_path / "tiny.yaml", TINY)
    result = run_ranks(data_dir, tmp_path / "run", config)
    assert result.returncode == 0, result.stderr
    alone = run(data_dir, tmp_path / "alone", TINY, "finetuning")
    together = json.loads((tmp_path / "run/history.json").read_text())
    assert [figures.keys() for figures in together] == [figures.keys() for figures in alone]
    assert result.stderr.count("epoch 1/3") == 1
    assert TINY.finetuning
    best = load_checkpoint(tmp_path / "run/last.pt")
    assert best.epochs == TINY.finetuning.epochs


@pytest.mark.slow
def test_a_mistake_of_all_ranks_is_reported_once(data_dir: Path, tmp_path: Path) -> None:
    config = write_experiment(
        tmp_path / "tiny.yaml", make_experiment(finetuning={"speakers_per_batch": 3})
    )
    result = run_ranks(data_dir, tmp_path / "run", config)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert "speakers_per_batch" in errors[0]
    assert not (tmp_path / "run").exists()
