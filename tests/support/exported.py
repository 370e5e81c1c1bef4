"""Speech for exported models, and what they make of it beside the checkpoint."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from deep_speaker.embeddings.samples import SampleEmbedder
from deep_speaker.export.writing import export_onnx
from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.voices.onnx_embedder import OnnxEmbedder
from support.speech import make_speech

CPU = torch.device("cpu")


def make_voices(seconds: float, rate: int = 16000) -> np.ndarray:
    """Every half second another voice, with pauses of 0.3 s in faint noise, in 16-bit integers."""
    rng = np.random.default_rng(int(seconds * 10))
    parts: list[np.ndarray] = []
    for seed in range(int(seconds / 0.8) + 1):
        parts += [make_speech(seed, 0.5, rate), 3e-4 * rng.standard_normal(int(0.3 * rate))]
    return np.round(32767 * np.concatenate(parts)[: int(seconds * rate)]).astype(np.float32)


class Compared:
    """A checkpoint and its exported ONNX file."""

    def __init__(self, checkpoint: Path) -> None:
        export_onnx(checkpoint, checkpoint.with_suffix(".onnx"))
        self.checkpoint = SampleEmbedder(load_checkpoint(checkpoint), CPU)
        self.onnx = OnnxEmbedder(checkpoint.with_suffix(".onnx"))

    def difference(self, samples: np.ndarray) -> float:
        """Return the largest difference of a number of the two embeddings."""
        return distance(self.checkpoint(samples), self.onnx(samples))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference of a number."""
    assert one.shape == other.shape
    return float(np.abs(one - other).max())


def load_script(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load a TorchScript file as a function of arrays."""
    with pytest.warns(DeprecationWarning):
        script = torch.jit.load(path)
    return lambda inputs: script(torch.from_numpy(inputs)).numpy()
