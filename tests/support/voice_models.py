"""Models that answer, without a network: vectors are given, and decisions are by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep_speaker.scoring.decision_files import write_decisions
from deep_speaker.scoring.decision_table import DecisionTable
from deep_speaker.scoring.transforms import COSINE
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.voices.speaker_files import Speaker
from deep_speaker.voices.voice_model import Scoring, VoiceModel
from support.model_folders import make_model

# log likelihood ratio = 10 * score - 5: 0 at a score of 0.5.
TABLE = DecisionTable(
    backend="cosine",
    weight=10.0,
    offset=-5.0,
    thresholds=[-1.0, 0.0, 0.5, 1.0],
    false_alarm_rates=[1.0, 0.5, 0.1, 0.0],
    miss_rates=[0.0, 0.1, 0.2, 1.0],
    num_speakers=7,
    num_target=100,
    num_nontarget=1000,
)
BACKEND = VectorBackend(COSINE, None, 300)


class GivenVectors:
    """An embedder whose vectors are the first samples."""

    sampling_rate = 16000

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        return unit(*samples[:2])

    def embed_windows(
        self, samples: np.ndarray, starts: Sequence[int], num_samples: int
    ) -> np.ndarray:
        return np.stack([self(samples[start : start + num_samples]) for start in starts])

    def mean_frame(self, samples: np.ndarray) -> np.ndarray | None:
        return None


def unit(*numbers: float) -> np.ndarray:
    """A vector of unit length in the direction of some numbers."""
    vector = np.array(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def make_voice_model(table: DecisionTable | None = TABLE) -> VoiceModel:
    """A model that scores by the cosine."""
    scoring = Scoring("cosine", BACKEND, table)
    return VoiceModel("models/given", "0123456789abcdef", GivenVectors(), lambda: scoring)


def speaker(name: str, *vectors: np.ndarray) -> Speaker:
    """An enrolled speaker of some examples."""
    return Speaker(name, np.stack(vectors), ["a.wav"] * len(vectors), "id", "models/given")


def write_voice_model(folder: Path, table: DecisionTable | None = TABLE, seed: int = 0) -> Path:
    """Write a model folder of a tiny network of random weights, with these decisions."""
    # With its mean taken away, made-up speech is nearly alike to random weights.
    make_model(folder, seed=seed, normalisation={"mean": "none"})
    write_decisions(folder, "cosine", BACKEND, table)
    return folder
