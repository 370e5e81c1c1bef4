"""Directories for validate_data_dir.py, prepared once and copied for tests that damage them."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import validate_data_dir
from deep_speaker.config import Experiment
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.embeddings.xvectors import fill_xvectors
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.trials.models import write_models
from support.speech import EXPERIMENT, make_utterances
from support.tiny_xvectors import write_crops

TRIALS = "spk0-0 spk0-1 target\nspk0 spk1-0 nontarget\nmodel spk2-1 nontarget\n"
Damage = Callable[[Path], None]


def plain(experiment: Experiment) -> Experiment:
    """The same with float32 features."""
    features = experiment.features.model_copy(update={"compression": "none"})
    return experiment.model_copy(update={"features": features})


def write_directories(folder: Path) -> Path:
    """A test set after stage 1, the same in float32, and an x-vector directory with crops."""
    utterances = sorted(make_utterances(folder / "audio"), key=lambda item: item.id)
    for name, experiment in (("data", EXPERIMENT), ("plain", plain(EXPERIMENT))):
        data_dir = folder / name / "test"
        write_data_dir(data_dir, utterances)
        write_manifests(data_dir, utterances)
        compute_data_dir(data_dir, experiment, 1)
        write_models(data_dir, {"model": ["spk0-0", "spk0-1"]})
        (data_dir / "trials").write_text(TRIALS)
    write_vectors(folder / "x", {item.id: item.speaker for item in utterances})
    return folder


def write_vectors(output: Path, utt2spk: dict[str, str]) -> None:
    output.mkdir()
    rng = np.random.default_rng(0)
    crops = [(key, rng.normal(size=(3, 8)).astype(np.float32)) for key in utt2spk]
    fill_xvectors(output, output, sorted(write_crops(output, crops).items()), utt2spk)


def copy_directories(prepared: Path, folder: Path) -> Path:
    """A copy of one's own, into whose arks its scp files point."""
    shutil.copytree(prepared, folder)
    for scp in folder.rglob("*.scp"):
        scp.write_text(scp.read_text().replace(str(prepared), str(folder)))
    return folder


def validate(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["validate_data_dir.py", *map(str, folders)])
    validate_data_dir.main()
