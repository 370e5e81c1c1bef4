"""A model that answers: it embeds recordings, scores them, and decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from deep_speaker.voices.recordings import SHORTEST_SPEECH, Recording, read_recording

if TYPE_CHECKING:  # what scoring needs takes a second to load, and embedding needs none of it
    from deep_speaker.features.conditions import Conditions
    from deep_speaker.scoring.decision_table import DecisionTable
    from deep_speaker.scoring.vector_backend import VectorBackend
    from deep_speaker.voices.decisions import Criterion, Decision


class Embedder(Protocol):
    """Samples to vectors, by the front end and network of a model."""

    @property
    def sampling_rate(self) -> int:
        """In Hz, of the samples."""

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Embed samples (num_samples,) on the scale of 16-bit integers: unit length, (dim,)."""

    def embed_windows(
        self, samples: np.ndarray, starts: Sequence[int], num_samples: int
    ) -> np.ndarray:
        """Embed windows of samples, each by itself: unit length, shape (windows, dim)."""

    def mean_frame(self, samples: np.ndarray) -> np.ndarray | None:
        """Return the mean of the frames that are embedded, (bins,); None where it is not known."""


class Scoring(NamedTuple):
    """How a model scores: its back end, by name, and what is known of its scores."""

    name: str
    backend: "VectorBackend"
    decisions: "DecisionTable | None"


class Voice(NamedTuple):
    """A recording and its embedding: unit length, shape (dim,)."""

    recording: Recording
    vector: np.ndarray


@dataclass(frozen=True)
class VoiceModel:
    """A model, open.

    Attributes:
        name: its path, for messages.
        id: of its weights and config: vectors of different ids cannot be compared.
        embedder: from samples to vectors.
        read_scoring: reads what `scoring` holds, when it is asked for.
        conditions: of its training set; None: not known.
    """

    name: str
    id: str
    embedder: Embedder
    read_scoring: Callable[[], Scoring]
    conditions: "Conditions | None" = None

    @property
    def sampling_rate(self) -> int:
        return self.embedder.sampling_rate

    @cached_property
    def scoring(self) -> Scoring:
        """How it scores."""
        return self.read_scoring()

    def hear(
        self, audio: str | Path | np.ndarray, rate: int | None = None,
        shortest: float = SHORTEST_SPEECH, channel: int = 0,
    ) -> Voice:  # fmt: skip
        """Read a recording, with warnings where it is unlike the training, and embed it.

        See `read_recording`.
        """
        recording = read_recording(audio, self.sampling_rate, rate, shortest, channel)
        vector = self.embedder(recording.samples)
        self._compare_conditions(recording)
        return Voice(recording, vector)

    def _compare_conditions(self, recording: Recording) -> None:
        """Add a warning to a recording that is unlike all of the training set."""
        if self.conditions is None:
            return
        mean_frame = self.embedder.mean_frame(recording.samples)
        if mean_frame is None:
            return
        distance = self.conditions.distance(mean_frame)
        if distance > self.conditions.farthest:
            recording.warnings.append(
                "its level or channel is unlike all that the model was trained on (distance "
                f"{distance:.1f}, the farthest there {self.conditions.farthest:.1f})"
            )

    def embed(
        self, audio: str | Path | np.ndarray, rate: int | None = None, channel: int = 0
    ) -> np.ndarray:
        """Return the embedding of a recording: unit length, shape (dim,); see `read_recording`."""
        return self.hear(audio, rate, channel=channel).vector

    def score(self, enrolled: Sequence[np.ndarray], tests: np.ndarray) -> np.ndarray:
        """Score every enrolled speaker with every test vector: shape (enrolled, tests).

        Args:
            enrolled: the vectors of each speaker, shape (examples, dim), of which the mean counts,
                as of the models of stage 5.
            tests: shape (tests, dim).
        """
        from deep_speaker.scoring.key_vectors import KeyVectors

        means = [vectors.mean(axis=0) for vectors in enrolled]
        members = [[0] * len(vectors) for vectors in enrolled] + [[0]] * len(tests)
        keys = KeyVectors({}, np.concatenate([means, tests]).astype(np.float32), members)
        rows = np.indices((len(enrolled), len(tests))).reshape(2, -1)
        scores = self.scoring.backend.scorer(keys)(rows[0], rows[1] + len(enrolled))
        return scores.reshape(len(enrolled), len(tests))

    def decide(
        self, score: float, criterion: "Criterion | None" = None, num_candidates: int = 1
    ) -> "Decision":
        """Decide by a score; see `decisions.decide`."""
        from deep_speaker.voices.decisions import Criterion, decide

        return decide(score, self.scoring.decisions, criterion or Criterion(), num_candidates)

    def compare(
        self, one: str | Path | np.ndarray, other: str | Path | np.ndarray,
        rate: int | None = None, criterion: "Criterion | None" = None,
    ) -> "Decision":  # fmt: skip
        """Tell whether two recordings have one voice; see `read_recording`."""
        first, second = self.embed(one, rate), self.embed(other, rate)
        score = self.score([first[None]], second[None])[0, 0]
        return self.decide(float(score), criterion)
