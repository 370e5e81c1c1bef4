"""The targets of distillation: what a teacher makes of the speech that is drawn."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import TeacherTraining
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.teachers import cut_utterance, heard_utterances, piece_key
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import read_unit_vectors
from deep_speaker.features.source import FeatureSource, Section


class Targets:
    """Embeddings of pieces by one teacher or several, found by any section of an utterance.

    Those of several teachers are joined, at unit length: the cosine of two of these is the mean of
    the teachers' cosines.

    Attributes:
        dimension: of a target.
    """

    def __init__(
        self, folders: Sequence[Path], source: FeatureSource, options: TeacherTraining
    ) -> None:
        """Read the embeddings that `embed_training_set` has written.

        Raises:
            ValueError: none are given, or they are of other pieces.
        """
        if not folders:
            raise ValueError("distillation needs a teacher: name its checkpoint by --teacher")
        self._heard = heard_utterances(source, options)
        self._pieces = {
            utterance: cut_utterance(source, utterance, options.teacher_frames)
            for utterance in sorted(set(self._heard.values()))
        }
        keys = [piece_key(piece) for pieces in self._pieces.values() for piece in pieces]
        joined = np.concatenate([read_targets(folder, keys) for folder in folders], axis=1)
        self._vectors = at_unit_length(joined)
        self.dimension = joined.shape[1]
        counts = np.cumsum([0] + [len(pieces) for pieces in self._pieces.values()])
        self._first = dict(zip(self._pieces, counts[:-1].tolist(), strict=True))

    def pieces(self, utterance: str) -> list[Section]:
        """Return the pieces of an utterance that is no copy, in order."""
        heard = self._pieces[self._heard[utterance]]
        return [piece._replace(utterance=utterance) for piece in heard]

    def of(self, section: Section) -> np.ndarray:
        """Return the target of a section: unit length, shape (dimension,).

        That of the piece it lies in; the mean of several, by the frames that it has of each.
        """
        utterance = self._heard[section.utterance]
        pieces = self._pieces[utterance]
        begin = bisect_right(pieces, section.start, key=lambda piece: piece.stop)
        end = bisect_left(pieces, section.stop, key=lambda piece: piece.start)
        frames = [
            min(section.stop, piece.stop) - max(section.start, piece.start)
            for piece in pieces[begin:end]
        ]
        first = self._first[utterance]
        return at_unit_length(np.array(frames) @ self._vectors[first + begin : first + end])


def read_targets(folder: Path, keys: Sequence[str]) -> np.ndarray:
    """Read the embeddings of pieces by their keys: unit length, float32, shape (pieces, dim)."""
    vectors = read_unit_vectors(folder)
    missing = [key for key in keys if key not in vectors]
    if missing:
        raise ValueError(
            f"{folder}: {len(missing)} of {len(keys)} pieces are missing, first {missing[0]!r}: "
            f"{Stage.PRETRAINING.again}"
        )
    return np.stack([vectors[key] for key in keys])
