"""deep-speaker export: the model in other programs' forms answers as before."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import deep_speaker
from deep_speaker.kaldi.audio import load_audio
from support.command_lines import Command
from support.recipe import ROOT


@pytest.fixture
def exported(command: Command, model: Path, tmp_path: Path) -> Path:
    answer = command("export", "--model", model, "--onnx", "out/tiny.onnx")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("out/tiny.onnx: ")
    return tmp_path / "out/tiny.onnx"


def test_an_onnx_file_answers_as_the_folder(command: Command, model: Path, exported: Path) -> None:
    folder, file = deep_speaker.load(model), deep_speaker.load(exported)
    assert file.id == folder.id
    assert file.scoring.decisions == folder.scoring.decisions
    difference = file.embed("a.wav") - folder.embed("a.wav")
    assert np.abs(difference).max() < 1e-4
    assert command("enrol", "--model", model, "ana", "a.wav").status == 0
    answer = command("identify", "--model", exported, "a.wav")  # a store of the same model
    assert "ana" in answer.out
    assert answer.status == 0


def test_embed_needs_neither_torch_nor_what_scoring_needs(exported: Path) -> None:
    """As where onnxruntime, numpy and soundfile alone are installed."""
    missing = ["torch", "pydantic", "scipy", "sklearn", "kaldiio", "lhotse", "tqdm", "yaml",
               "safetensors", "onnx"]  # fmt: skip
    code = f"""
import sys
for name in {missing}:
    sys.modules[name] = None
from deep_speaker.commands.main import main
main(["embed", "a.wav", "--model", {str(exported)!r}, "--output", "x.npz"])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pyscripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert np.load("x.npz")["embeddings"].shape == (1, 8)


def test_a_torchscript_file_gives_the_same(command: Command, model: Path) -> None:
    assert command("export", "--model", model, "--torchscript", "tiny.pt").status == 0
    opened = deep_speaker.load(model)
    samples = load_audio("a.wav", opened.sampling_rate)[0]
    found = torch.jit.load("tiny.pt")(torch.from_numpy(samples)).numpy()
    assert np.abs(found - opened.embed("a.wav")).max() < 1e-4


def test_a_file_of_frames_is_refused_where_samples_are_needed(
    command: Command, model: Path
) -> None:
    words = ("export", "--model", model, "--from-features", "--onnx", "frames.onnx")
    assert command(*words).out.endswith("takes frames\n")
    answer = command("embed", "a.wav", "--model", "frames.onnx", "--output", "x.npz")
    assert answer.status == 1
    assert "takes frames, not samples" in answer.err
