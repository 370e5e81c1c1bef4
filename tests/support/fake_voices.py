"""Voices that are chords, and a model that tells them apart exactly: by the share of each tone."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.scoring.decision_table import DecisionTable
from deep_speaker.scoring.transforms import COSINE
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.voices.voice_model import Scoring, VoiceModel

RATE = 16000
TONES = (300, 700, 1500, 3100)  # Hz: that of each voice
THRESHOLD = 0.5


def speak(voice: int, seconds: float) -> np.ndarray:
    """Return syllables of a tone, shape (num_samples,), from -1 to 1."""
    times = np.arange(round(seconds * RATE)) / RATE
    return 0.1 * np.sin(2 * np.pi * TONES[voice] * times) * (times % 0.2 < 0.16)


def pause(seconds: float) -> np.ndarray:
    """Return faint noise."""
    return 1e-4 * np.random.default_rng(0).standard_normal(round(seconds * RATE))


def voice_vector(voice: int) -> np.ndarray:
    """Return the vectors of a voice that is enrolled by one example, shape (1, tones)."""
    return np.eye(len(TONES), dtype=np.float32)[voice : voice + 1]


@cache
def make_waves(num_samples: int) -> np.ndarray:
    """Return a wave for each tone, complex64, shape (tones, num_samples)."""
    times = np.arange(num_samples) / RATE
    return np.exp(2j * np.pi * np.outer(TONES, times)).astype(np.complex64)


class ToneEmbedder:
    """The amplitude of each tone, at unit length.

    Attributes:
        most_samples: that it was given at once.
    """

    sampling_rate = RATE

    def __init__(self) -> None:
        self.most_samples = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        return at_unit_length(np.abs(make_waves(len(samples)) @ samples))

    def embed_windows(
        self, samples: np.ndarray, starts: Sequence[int], num_samples: int
    ) -> np.ndarray:
        self.most_samples = max(self.most_samples, len(samples))
        windows = [samples[start : start + num_samples] for start in starts]
        assert all(len(window) >= num_samples - 1 for window in windows)
        return np.stack([self(window) for window in windows])

    def mean_frame(self, samples: np.ndarray) -> None:
        return None


def tone_model(calibrated: bool = True) -> VoiceModel:
    """Return a model of tones; the threshold is where both are as likely."""
    table = DecisionTable("cosine", 20.0, -20.0 * THRESHOLD, [0.0, 1.0], [1.0, 0.0], [0.0, 1.0],
                          10, 100, 1000)  # fmt: skip
    scoring = Scoring("cosine", VectorBackend(COSINE, None, 0), table if calibrated else None)
    return VoiceModel("tones", "id", ToneEmbedder(), lambda: scoring)
