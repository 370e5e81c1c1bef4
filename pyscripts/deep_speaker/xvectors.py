"""X-vector directories in Kaldi's form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from deep_speaker.archives import ArchiveTable, ArchiveWriter, write_scp, write_vectors
from deep_speaker.data_dir import group_by_speaker, write_spk2utt
from deep_speaker.files import replacing_directory
from deep_speaker.speaker_split import write_held_out
from deep_speaker.tables import write_table


def average(embeddings: np.ndarray) -> np.ndarray:
    """The mean of embeddings (pieces, dim), at unit length."""
    return at_unit_length(embeddings.mean(axis=0))


def at_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., dim) divided by their L2 norms, float32; a zero vector stays."""
    vectors = vectors.astype(np.float32, copy=False)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def write_crops(
    partial: Path, output: Path, results: Iterable[tuple[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Write crops as they come, as all of them may not fit in memory; return their averages."""
    vectors = {}
    name = "xvector_crops"
    with ArchiveWriter(partial / f"{name}.ark", output / f"{name}.ark") as writer:
        for utterance, crops in results:
            writer.write(utterance, crops)
            vectors[utterance] = average(crops)
    write_scp(partial / f"{name}.scp", writer.scp)
    return vectors


def write_xvectors(
    output: Path,
    embeddings: Mapping[str, np.ndarray],
    utt2spk: Mapping[str, str],
    held_out: Iterable[str] = (),
) -> None:
    """Write xvector.{ark,scp}, spk_xvector.{ark,scp}, num_utts.ark and spk2utt, whole.

    spk_xvector holds the mean of each speaker's embeddings, as Kaldi's ivector-mean gives.

    Args:
        held_out: speakers of a training set who did not train; noted where there are any.
    """
    with replacing_directory(output) as partial:
        fill_xvectors(partial, output, embeddings, utt2spk, held_out)


def fill_xvectors(
    partial: Path,
    output: Path,
    embeddings: Mapping[str, np.ndarray],
    utt2spk: Mapping[str, str],
    held_out: Iterable[str] = (),
) -> None:
    """What `write_xvectors` writes, into the folder `partial`, which is to become `output`."""
    dimensions = {vector.shape for vector in embeddings.values()}
    if len(dimensions) != 1:
        raise ValueError(f"{output}: embeddings of different sizes: {sorted(dimensions)}")
    broken = [key for key, vector in embeddings.items() if not np.isfinite(vector).all()]
    if broken:
        raise ValueError(f"{output}: {len(broken)} embeddings are not finite, first {broken[0]}")
    spk2utt = group_by_speaker({key: utt2spk[key] for key in embeddings})
    means = {
        speaker: np.mean([embeddings[key] for key in utterances], axis=0)
        for speaker, utterances in spk2utt.items()
    }
    write_spk2utt(partial / "spk2utt", {key: utt2spk[key] for key in embeddings})
    write_vectors(partial / "xvector", output / "xvector", embeddings)
    write_vectors(partial / "spk_xvector", output / "spk_xvector", means)
    write_table(partial / "num_utts.ark", {key: len(utts) for key, utts in spk2utt.items()})
    if held_out:
        write_held_out(partial, held_out)


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


def read_unit_vectors(folder: Path) -> dict[str, np.ndarray]:
    """The vectors of the utterances of an x-vector directory, at unit length, float32.

    They are rows of one matrix, so that a million of them are held once.

    Raises:
        ValueError: there are none, or of several sizes.
    """
    table = ArchiveTable(folder / "xvector.scp")
    keys = list(table)
    if not keys:
        raise ValueError(f"{table.scp}: empty: run stage 4 anew")
    matrix = np.empty((len(keys), len(table.rows(keys[0]))), dtype=np.float32)
    for key, row in zip(keys, matrix, strict=True):
        vector = table.rows(key)
        if vector.shape != row.shape:
            raise ValueError(
                f"{table.scp}: {key!r} has shape {vector.shape}, {keys[0]!r} {row.shape}: run "
                "stage 4 anew"
            )
        row[:] = at_unit_length(vector)
    return dict(zip(keys, matrix, strict=True))


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
