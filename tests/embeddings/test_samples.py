"""From samples to an embedding by a checkpoint alone: what stages 1 and 4 give of an utterance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.embeddings.samples import SampleEmbedder
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table
from deep_speaker.networks.checkpoints import load_checkpoint
from support.kaldi_checks import read_by_kaldiio
from support.teachers import write_recordings, write_teacher
from support.tiny_data import make_experiment

CPU = torch.device("cpu")

CHUNK = {"mean": "chunk", "scale": "chunk"}
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "whole": {"normalisation": {"mean": "utterance", "scale": "utterance"}},
    "in pieces": {"extraction": {"max_frames": 100}},
    "crops": {"extraction": {"method": "crops", "num_crops": 3, "crop_frames": 60}},
    "sample crops": {
        "features": {"front_end": "torchaudio", "num_mels": 16, "sampling_rate": 8000},
        "normalisation": CHUNK,
        "extraction": {"method": "sample_crops", "num_crops": 3, "crop_frames": 60},
    },
    "speechbrain": {"features": {"front_end": "speechbrain", "num_mels": 16}},
    "trimming": {
        "features": {"front_end": "python_speech_features", "num_mels": 16},
        "voice_activity": {"detector": "trimming", "percentile": 50},
        "pretraining": {"augmentation": {}},
    },
}


@pytest.mark.parametrize("sections", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_the_embedding_is_that_of_stages_1_and_4(sections: dict[str, Any], tmp_path: Path) -> None:
    experiment = make_experiment(**sections)
    data_dir = write_recordings(tmp_path / "data", [1.5, 2.3, 0.9, 1.1])
    compute_data_dir(data_dir, experiment, 1)
    checkpoint = write_teacher(tmp_path / "best.pt", experiment)
    extract({tmp_path / "x": Extractor(checkpoint, data_dir, experiment, CPU)}, 1)
    expected = read_by_kaldiio(tmp_path / "x/xvector.scp")
    embedder = SampleEmbedder(load_checkpoint(checkpoint), CPU)
    rate = experiment.features.sampling_rate
    assert embedder.experiment == experiment
    for key, entry in read_table(data_dir / "wav.scp").items():
        found = embedder(load_audio(entry, rate)[0])
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
        assert found @ expected[key] > 0.9999  # the arks keep 16 bits


def test_where_no_frame_is_voiced_all_are_embedded(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 100, 8000).astype(np.float32)
    found = []
    for threshold in (1000, -1000):
        experiment = make_experiment(voice_activity={"energy_threshold": threshold})
        checkpoint = write_teacher(tmp_path / f"{threshold}.pt", experiment)
        found.append(SampleEmbedder(load_checkpoint(checkpoint), CPU)(samples))
    assert np.array_equal(found[0], found[1])


def test_too_few_samples_are_refused(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_teacher(tmp_path / "best.pt", make_experiment()))
    embedder = SampleEmbedder(checkpoint, CPU)
    with pytest.raises(ValueError, match="too short: less than one frame"):
        embedder(np.ones(20, dtype=np.float32))
