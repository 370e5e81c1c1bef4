"""The vectors of keys: of utterances, and of the speakers and models made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.xvectors import read_unit_vectors
from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.trials.models import MODELS, read_models


@dataclass(frozen=True)
class KeyVectors:
    """Vectors of utterances, and of speakers and models made of them.

    Attributes:
        rows: the row of each key, in their order.
        vectors: float32, shape (keys, dim); an utterance's at unit length, the others' the means
            of those, as Kaldi's ivector-mean gives.
        members: the rows of the utterances behind each key.
    """

    rows: dict[str, int]
    vectors: np.ndarray
    members: list[list[int]]

    @property
    def counts(self) -> np.ndarray:
        """The number of utterances behind each key."""
        return np.array([len(members) for members in self.members])

    @cached_property
    def index(self) -> KeyRows:
        """The keys, to find their rows for whole columns of words."""
        assert list(self.rows.values()) == list(range(len(self.rows)))
        return KeyRows(self.rows)

    def made_of(self, vectors: Mapping[str, np.ndarray]) -> "KeyVectors":
        """Return the same keys, made of other vectors of the same utterances."""
        own = [key for key, row in self.rows.items() if self.members[row] == [row]]
        stacked = stack_with_means([vectors[key] for key in own], self.members)
        return KeyVectors(self.rows, stacked, self.members)

    @cached_property
    def _sole_member(self) -> np.ndarray:
        """The member of every key that has one, -1 of others: int64, shape (keys,)."""
        return np.array([rows[0] if len(rows) == 1 else -1 for rows in self.members])

    @cached_property
    def _member_codes(self) -> np.ndarray:
        """Every key with each of its members, as one number: sorted int64."""
        keys = np.repeat(np.arange(len(self.members)), [len(rows) for rows in self.members])
        return np.sort(keys * len(self.members) + np.concatenate(self.members))

    def has_member(self, keys: np.ndarray, utterances: np.ndarray) -> np.ndarray:
        """Tell which keys have which utterances as members: bool, for rows of both (trials,)."""
        sole = self._sole_member[keys]
        has = sole == utterances
        of_several = np.flatnonzero(sole < 0)
        codes = keys[of_several].astype(np.int64) * len(self.members) + utterances[of_several]
        place = np.searchsorted(self._member_codes, codes)
        has[of_several] = (
            self._member_codes[np.minimum(place, len(self._member_codes) - 1)] == codes
        )
        return has


def group_vectors(
    vectors: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[str]]
) -> KeyVectors:
    """Join vectors of utterances and the means of groups of them.

    A group with the name of an utterance is left out: the name stands for the utterance.
    """
    rows = {key: row for row, key in enumerate(vectors)}
    members = [[row] for row in rows.values()]
    for name, keys in groups.items():
        if name not in rows:
            rows[name] = len(members)
            members.append([rows[key] for key in keys])
    return KeyVectors(rows, stack_with_means([*vectors.values()], members), members)


def stack_with_means(vectors: Sequence[np.ndarray], members: list[list[int]]) -> np.ndarray:
    """Return vectors (dim,) of utterances, then the means of the groups after them: (keys, dim)."""
    stacked = np.empty((len(members), len(vectors[0])), np.result_type(vectors[0]))
    np.stack(vectors, out=stacked[: len(vectors)])  # which may be gigabytes: in one copy
    for row in range(len(vectors), len(members)):
        stacked[row] = stacked[members[row]].mean(axis=0)
    return stacked


def read_train_vectors(
    folder: Path, data_dir: Path
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the vectors of the utterances of a training set, and its utt2spk."""
    vectors, utt2spk = read_unit_vectors(folder), read_table(data_dir / "utt2spk")
    lost = utt2spk.keys() - vectors.keys()
    if lost:
        raise ValueError(
            f"{folder}: {len(lost)} utterances of {data_dir} have no vector, first {min(lost)!r}: "
            f"{Stage.EMBEDDINGS.again}"
        )
    return vectors, utt2spk


def read_test_vectors(folder: Path, data_dir: Path) -> KeyVectors:
    """Return the vectors of the utterances, models and speakers of a test set.

    A name that several of them have belongs to the first in this order.
    """
    vectors = read_unit_vectors(folder)
    models = read_models(data_dir)
    lost = [(key, model) for model, keys in models.items() for key in keys if key not in vectors]
    if lost:
        raise ValueError(
            f"{folder}: {len(lost)} utterances of the models in {data_dir / MODELS} have no "
            f"vector, first {lost[0][0]!r} of {lost[0][1]!r}: mend that table, or "
            f"{Stage.EMBEDDINGS.again}"
        )
    utt2spk = read_table(data_dir / "utt2spk")
    speakers = group_by_speaker({key: utt2spk[key] for key in vectors if key in utt2spk})
    return group_vectors(vectors, speakers | models)
