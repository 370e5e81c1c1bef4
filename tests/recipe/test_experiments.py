"""Every experiment of conf/, for a few steps, from features to results on the embedded corpus."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from deep_speaker.config import override_experiment, read_experiment
from deep_speaker.config.phases import trained_phases
from deep_speaker.embeddings import extraction
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.results.computation import compute_rows
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.training.loop import train

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "conf").glob("*.yaml"))
FEW_STEPS = ROOT / "conf/overrides/few_steps.yaml"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded corpus, of few speakers."""
    folder = tmp_path_factory.mktemp("data") / "embedded"
    numbers = "--num-train-speakers 8 --num-test-speakers 3 --num-utterances 2"
    command = [sys.executable, str(ROOT / "local/prepare_embedded.py"), *numbers.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pyscripts")}
    subprocess.run([*command, "--nj", "2", str(folder)], env=environment, check=True)
    return folder


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_an_experiment_runs_to_its_results(
    config: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "in_processes", lambda device: False)  # start none: minutes
    override_experiment(config, [FEW_STEPS], tmp_path / "config.yaml")
    experiment = read_experiment(tmp_path / "config.yaml")
    for part in ("train", "test"):
        compute_data_dir(corpus / part, experiment, 2)
    initial = None
    for phase in trained_phases(experiment):
        folder = tmp_path / phase
        train(experiment, phase, corpus / "train", folder, initial, False, torch.device("cpu"))
        initial = initial or folder / "best.pt"
        (figures,) = load_checkpoint(folder / "last.pt").history
        assert all(map(math.isfinite, figures.values())), figures
    for part, count in (("train", 16), ("test", 6)):
        extractor = Extractor(folder / "best.pt", corpus / part, experiment, torch.device("cpu"))
        extract(extractor, folder / f"xvectors_{part}", 1)
        table = ArchiveTable(folder / f"xvectors_{part}/xvector.scp")
        vectors = np.stack([table.rows(key) for key in table])
        assert vectors.shape == (count, experiment.network.embedding_dim)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    score_phase(experiment, corpus / "train", corpus / "test", tmp_path, phase)
    rows = compute_rows(corpus / "test", tmp_path / "scores", [phase])
    assert {row["backend"] for row in rows} == set(experiment.scoring.backends)
    assert all(0 <= row["eer_percent"] <= 100 for row in rows)
