"""The models in models/: small, whole, described, and as good as their cards say."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import deep_speaker
from deep_speaker.config import read_experiment
from deep_speaker.embeddings import extraction
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.published.importing import import_weights
from deep_speaker.report.model_card import TO_WRITE, WRITTEN
from support.recipe import ROOT, Recipe
from support.speech import make_utterances

SPEECH_CORPORA = os.environ.get("SPEECH_CORPORA")
# Without any model these tests are skipped, and pytest says so.
every_model = pytest.mark.parametrize(
    "model", [path for path in sorted((ROOT / "models").glob("*")) if path.is_dir()],
    ids=lambda path: path.name,
)  # fmt: skip
MOST_BYTES = 10_000_000


@every_model
def test_a_model_is_small_and_its_card_is_written(model: Path) -> None:
    files = {path.name: path.stat().st_size for path in model.iterdir()}
    learnt = {"decisions.json", "conditions.json"}
    assert files.keys() == {"weights.safetensors", "config.yaml", "README.md"} | learnt
    assert deep_speaker.load(model).scoring.decisions is not None
    assert sum(files.values()) <= MOST_BYTES
    card = (model / "README.md").read_text()
    assert card.startswith(f"# {model.name}\n")
    assert f"{files['weights.safetensors']:,} bytes" in card
    assert TO_WRITE not in card
    assert all(f"\n## {heading}\n" in card for heading in WRITTEN)


@every_model
def test_a_model_embeds_made_up_voices(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "in_processes", lambda device: False)
    experiment = read_experiment(model / "config.yaml")
    save_checkpoint(tmp_path / "best.pt", import_weights(model, experiment))
    write_data_dir(tmp_path / "test", make_utterances(tmp_path / "audio", num_speakers=2))
    compute_data_dir(tmp_path / "test", experiment, 1)
    extractor = Extractor(tmp_path / "best.pt", tmp_path / "test", experiment, torch.device("cpu"))
    extract({tmp_path / "xvectors_test": extractor}, 1)
    table = ArchiveTable(tmp_path / "xvectors_test/xvector.scp")
    vectors = np.stack([table.rows(key) for key in table])
    assert vectors.shape == (4, experiment.network.embedding_dim)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (vectors @ vectors.T)[np.triu_indices(4, 1)]
    assert np.isfinite(cosines).all()
    assert cosines.max() < 0.999  # the voices differ


def read_figures(card: str) -> dict[str, float]:
    """Return the error rates of the model by trial list, from the table of a card."""
    rows = re.findall(r"^\| *([\w.+-]+) *\| *[\d,]+ \+ [\d,]+ *\| *([\d.]+)", card, re.MULTILINE)
    return {name: float(figure) for name, figure in rows}


@pytest.mark.full
@pytest.mark.skipif(not SPEECH_CORPORA, reason="SPEECH_CORPORA names no folder of real speech")
@every_model
def test_a_model_errs_as_little_as_its_card_says(model: Path, tmp_path: Path) -> None:
    """On AN4, where the channel tells nobody apart."""
    recipe = Recipe(tmp_path)
    shutil.copytree(model, tmp_path / "models" / model.name)
    words = ("--corpus", "folder", "--name", "an4", "--test-dir", f"{SPEECH_CORPORA}/an4/dev")
    recipe.run(*words, "--nj", "2", "--initial-model", f"models/{model.name}")
    rows = json.loads((tmp_path / f"exp/an4/{model.name}/results.json").read_text())
    (row,) = [
        row for row in rows
        if (row["trials"], row["subset"], row["backend"]) == ("trials", "all", "cosine")
    ]  # fmt: skip
    figures = read_figures((model / "README.md").read_text())
    assert row["eer_percent"] == pytest.approx(figures["an4"], abs=0.3)
