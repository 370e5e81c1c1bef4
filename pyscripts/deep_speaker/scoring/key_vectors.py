"""Vectors of utterances, and of the speakers and models made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class XVectors:
    """Vectors of utterances, and of speakers and models made of them.

    Attributes:
        rows: by key.
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
    def _member_codes(self) -> np.ndarray:
        """Every key with each of its members, as one number: sorted int64."""
        keys = np.repeat(np.arange(len(self.members)), [len(rows) for rows in self.members])
        return np.sort(keys * len(self.members) + np.concatenate(self.members))

    def has_member(self, keys: np.ndarray, utterances: np.ndarray) -> np.ndarray:
        """Whether a key is made of an utterance, or is it: bool, for rows of both (trials,)."""
        codes = keys.astype(np.int64) * len(self.members) + utterances
        place = np.searchsorted(self._member_codes, codes)
        return self._member_codes[np.minimum(place, len(self._member_codes) - 1)] == codes


def with_groups(vectors: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[str]]) -> XVectors:
    """Vectors of utterances, and means of groups of them.

    A group of an utterance's name is left out: the name stands for the utterance.
    """
    rows = {key: row for row, key in enumerate(vectors)}
    members = [[row] for row in rows.values()]
    for name, keys in groups.items():
        if name not in rows:
            rows[name] = len(members)
            members.append([rows[key] for key in keys])
    stacked = np.stack(list(vectors.values()))
    means = [stacked[group].mean(axis=0) for group in members[len(vectors) :]]
    return XVectors(rows, np.stack([*stacked, *means]), members)
