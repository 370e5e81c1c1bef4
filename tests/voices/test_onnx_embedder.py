"""Embedding by an ONNX file: what it refuses, and what it imports."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from deep_speaker.export.writing import export_onnx
from deep_speaker.voices.onnx_embedder import OnnxEmbedder
from support.exported import make_voices
from support.model_folders import make_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(make_model(folder / "tiny"), folder / "model.onnx")
    return folder / "model.onnx"


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        OnnxEmbedder(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_says_what_the_model_is_and_gives_unit_vectors(model: Path) -> None:
    embedder = OnnxEmbedder(model)
    assert (embedder.sampling_rate, embedder.embedding_dim) == (16000, 8)
    assert embedder.metadata["name"] == "model"
    vector = embedder(make_voices(1).astype(np.int16))
    assert vector.shape == (8,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_windows_are_embedded_each_by_itself(model: Path) -> None:
    embedder, samples = OnnxEmbedder(model), make_voices(2)
    vectors = embedder.embed_windows(samples, [0, 8000], 16000)
    expected = [embedder(samples[:16000]), embedder(samples[8000:24000])]
    assert vectors == pytest.approx(np.array(expected), abs=1e-6)
    assert embedder.mean_frame(samples) is None


def test_samples_of_no_use_are_refused(model: Path) -> None:
    embedder = OnnxEmbedder(model)
    embedder(make_voices(1)[:80])
    with pytest.raises(ValueError, match="too short: 79 samples, the model takes 80 or more"):
        embedder(make_voices(1)[:79])
    with pytest.raises(ValueError, match=r"shape \(2, 100\): give one channel"):
        embedder(np.ones((2, 100)))
    with pytest.raises(ValueError, match="not finite"):
        embedder(np.full(1000, np.nan))


def test_other_files_are_refused(model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    assert "damaged.onnx: no such file: name another, or write" in refusal(damaged)
    damaged.write_bytes(model.read_bytes()[:1000])
    assert "damaged.onnx: not an ONNX file, or damaged" in refusal(damaged)
    damaged.write_text("a page that says 404")
    assert "damaged.onnx: not an ONNX file, or damaged" in refusal(damaged)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "an ONNX file of another program"),
        ({"format_version": "2"}, "format_version 2, known is 1: write it anew"),
        ({"format_version": "1", "input": "frames"}, "takes frames, not samples: write it anew"),
    ],
)
def test_other_models_are_refused(
    metadata: dict[str, str], said: str, model: Path, tmp_path: Path
) -> None:
    changed = onnx.load(model)
    onnx.helper.set_model_props(changed, metadata)
    onnx.save(changed, tmp_path / "other.onnx")
    assert said in refusal(tmp_path / "other.onnx")


def test_it_imports_neither_torch_nor_what_trains(model: Path) -> None:
    code = (
        "import sys, numpy\n"
        "from deep_speaker.voices.onnx_embedder import OnnxEmbedder\n"
        "OnnxEmbedder(sys.argv[1])(numpy.ones(8000))\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    command = [sys.executable, "-c", code, str(model)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "onnxruntime", "deep_speaker"} <= set(loaded)
    assert not {"torch", "scipy", "pydantic", "yaml", "onnx", "soundfile"} & set(loaded)
