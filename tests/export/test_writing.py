"""Exported files: what they embed of tiny experiments of every kind, and what they say."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.embeddings.inference import embed_utterance
from deep_speaker.embeddings.samples import SampleEmbedder
from deep_speaker.export import tracing
from deep_speaker.export.writing import METADATA, export_onnx, export_torchscript
from deep_speaker.networks.checkpoints import load_checkpoint, load_network
from deep_speaker.voices.onnx_embedder import start_session
from support.exported import CPU, Compared, distance, load_script, make_voices
from support.model_folders import make_model
from support.teachers import write_teacher
from support.tiny_data import make_experiment
from support.tiny_networks import TINY

CHUNK = {"mean": "chunk", "scale": "chunk"}
ALL_VOICED = {"energy_threshold": -1000, "energy_mean_scale": 0}
SPECTROGRAM = {"front_end": "torchaudio", "num_mels": 16, "sampling_rate": 8000}
SAMPLE_CROPS = {"method": "sample_crops", "num_crops": 3, "crop_frames": 60}
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "scaled": {"normalisation": {"mean": "utterance", "scale": "utterance"}},
    "not normalised": {"normalisation": {"mean": "none", "scale": 2}},
    "none voiced": {"voice_activity": {"energy_threshold": 1000}},
    "in pieces": {"voice_activity": ALL_VOICED, "extraction": {"max_frames": 50}},
    "crops": {"extraction": {"method": "crops", "num_crops": 3, "crop_frames": 60}},
    "repeated sample crops": {
        "features": SPECTROGRAM,
        "normalisation": CHUNK,
        "extraction": SAMPLE_CROPS,
    },
    "padded sample crops": {
        "features": SPECTROGRAM | {"centred": False},
        "normalisation": CHUNK,
        "extraction": SAMPLE_CROPS | {"short_utterances": "zeros"},
    },
    "trimmed": {
        "features": {"front_end": "python_speech_features", "num_mels": 16},
        "voice_activity": {"detector": "trimming", "percentile": 50},
        "pretraining": {"augmentation": {}},
    },
}


@pytest.mark.parametrize("sections", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_the_file_embeds_as_the_checkpoint(sections: dict[str, Any], tmp_path: Path) -> None:
    experiment = make_experiment(**sections)
    compared = Compared(write_teacher(tmp_path / "best.pt", experiment))
    for seconds in (0.05, 0.4, 0.5, 0.6, 2, 5):
        assert compared.difference(make_voices(seconds, experiment.features.sampling_rate)) < 1e-4
    silence = np.zeros(8000, dtype=np.float32)
    assert compared.difference(silence) < 1e-4


def test_unequal_pieces_change_little(tmp_path: Path) -> None:
    experiment = make_experiment(**EXPERIMENTS["in pieces"])
    compared = Compared(write_teacher(tmp_path / "best.pt", experiment))
    samples = make_voices(4.03)  # 403 frames: 4 pieces of 45 and 5 of 44, or 9 of 45
    assert 1e-6 < compared.difference(samples) < 1e-2


@pytest.mark.parametrize("name", TINY)
def test_frames_of_any_length_are_embedded_as_by_the_network(name: str, tmp_path: Path) -> None:
    network = TINY[name] | {"name": name}
    content = make_experiment().model_dump(mode="json") | {"network": network}
    experiment = Experiment.model_validate(content)
    checkpoint = write_teacher(tmp_path / "best.pt", experiment)
    export_onnx(checkpoint, tmp_path / "model.onnx", takes="frames")
    export_torchscript(checkpoint, tmp_path / "script.pt", takes="frames")
    session = start_session(tmp_path / "model.onnx")
    script = load_script(tmp_path / "script.pt")
    trained = load_network(checkpoint, experiment)
    for num_frames in (1, 40, 41, 333):
        frames = np.random.default_rng(num_frames).normal(0, 1, (num_frames, 16))
        frames = frames.astype(np.float32)
        expected = embed_utterance(trained, frames, experiment.extraction, CPU)
        assert distance(session.run(None, {"frames": frames[None]})[0], expected) < 1e-4
        assert distance(script(frames[None]), expected) < 1e-4


@pytest.mark.parametrize("name", ["trimmed", "crops", "repeated sample crops"])
def test_torchscript_embeds_samples_as_the_checkpoint(name: str, tmp_path: Path) -> None:
    experiment = make_experiment(**EXPERIMENTS[name])
    checkpoint = write_teacher(tmp_path / "best.pt", experiment)
    export_torchscript(checkpoint, tmp_path / "script.pt")
    script, embedder = (
        load_script(tmp_path / "script.pt"),
        SampleEmbedder(load_checkpoint(checkpoint), CPU),
    )
    for seconds in (0.1, 1, 3):
        samples = make_voices(seconds, experiment.features.sampling_rate)
        assert distance(script(samples), embedder(samples)) < 1e-4


def test_the_keras_variant_takes_odd_and_even_numbers_of_frames(tmp_path: Path) -> None:
    experiment = make_experiment(
        network={"variant": "keras"}, voice_activity=ALL_VOICED, features={"num_mels": 17}
    )
    compared = Compared(write_teacher(tmp_path / "best.pt", experiment))
    for num_frames in (97, 98, 99, 100):
        assert compared.difference(make_voices(num_frames / 100)) < 1e-4


def test_metadata_say_what_the_file_takes_and_gives(tmp_path: Path) -> None:
    model = make_model(tmp_path / "tiny")
    export_onnx(model, tmp_path / "voice.onnx", {"threshold": "0.3"})
    session = start_session(tmp_path / "voice.onnx")
    expected = {
        "format_version": "1",
        "input": "samples",
        "fewest_samples": "80",
        "sample_scale": "16-bit integers",
        "sampling_rate": "16000",
        "num_bins": "16",
        "normalisation": '{"mean":"utterance","scale":3.0}',
        "embedding_dim": "8",
        "voice_activity": "inside",
        "name": "voice",
        "threshold": "0.3",
    }
    assert session.get_modelmeta().custom_metadata_map == expected
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape, given.name) == ("samples", ["num_samples"], "embedding")
    export_torchscript(model, tmp_path / "voice.pt", {"name": "mine"}, takes="frames")
    extra = {METADATA: ""}
    with pytest.warns(DeprecationWarning):
        torch.jit.load(tmp_path / "voice.pt", _extra_files=extra)
    metadata = json.loads(extra[METADATA])
    assert metadata["name"] == "mine"
    assert metadata["fewest_frames"] == "1"
    assert (metadata["input"], metadata["voice_activity"]) == ("frames", "none")


def test_a_file_that_embeds_differently_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the number of frames stood in the graph, which a trace can bring about."""
    checkpoint = write_teacher(tmp_path / "best.pt", make_experiment())
    fixed = tracing.SampleNetwork.forward
    monkeypatch.setattr(tracing.SampleNetwork, "forward", lambda self, x: fixed(self, x[:9600]))
    export = tracing.trace(checkpoint, {}, "samples")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"cosine 0\.\d+ with the checkpoint's: take the vers"):
        tracing.check_equal(export, lambda inputs: export.traced(inputs).numpy())


def test_the_difference_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    export_onnx(write_teacher(tmp_path / "best.pt", make_experiment()), tmp_path / "model.onnx")
    assert "embeds as the checkpoint does" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "model.onnx"]
