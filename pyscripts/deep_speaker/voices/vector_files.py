"""Embeddings by key, in the files that other programs read."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.system.files import replacing_file, replacing_path
from deep_speaker.system.partials import new_partial

Vectors = Mapping[str, np.ndarray]


def unique_keys(files: Sequence[Path]) -> list[str]:
    """Return a key for each file: its name without suffix, spaces as _, numbered where taken.

    >>> unique_keys([Path("a.wav"), Path("b/a.flac"), Path("b c.wav")])
    ['a', 'a-2', 'b_c']
    """
    keys: dict[str, None] = {}
    for file in files:
        stem = "_".join(file.stem.split())
        key, number = stem, 1
        while key in keys:
            number += 1
            key = f"{stem}-{number}"
        keys[key] = None
    return list(keys)


def write_ark(path: Path, vectors: Vectors) -> None:
    """Write a Kaldi archive, and its table beside it, as the recipe does: sorted by key."""
    from deep_speaker.kaldi.archives import write_vectors  # needs kaldiio, which others do not

    scp = path.with_suffix(".scp")
    with (
        new_partial(path, folder=True) as folder,
        replacing_path(scp) as partial_scp,
        replacing_path(path) as partial_ark,
    ):
        write_vectors(folder / path.name, path, vectors)
        (folder / path.name).replace(partial_ark)
        (folder / scp.name).replace(partial_scp)


def write_npz(path: Path, vectors: Vectors) -> None:
    """Write arrays `keys`, shape (vectors,), and `embeddings`, float32, shape (vectors, dim)."""
    with replacing_file(path, "wb") as file:
        np.savez(file, keys=np.array(list(vectors)), embeddings=np.stack(list(vectors.values())))


def write_csv(path: Path, vectors: Vectors) -> None:
    """Write a line for each vector: the key, then the numbers, with all of their digits."""
    dim = len(next(iter(vectors.values())))
    with replacing_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["key", *range(dim)])
        writer.writerows([key, *(f"{x:.9g}" for x in vector)] for key, vector in vectors.items())


WRITERS: dict[str, Callable[[Path, Vectors], None]] = {
    ".ark": write_ark,
    ".npz": write_npz,
    ".csv": write_csv,
}
