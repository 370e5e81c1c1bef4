"""Embeddings in files, read back by the programs that they are for."""

import csv
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from deep_speaker.voices.vector_files import WRITERS, unique_keys

VECTORS = {
    key: np.random.default_rng(seed).normal(size=5).astype(np.float32)
    for seed, key in enumerate(["b", "a", "é_😀"])
}


def read_ark(path: Path) -> dict[str, np.ndarray]:
    by_table = dict(kaldiio.load_scp(str(path.with_suffix(".scp"))))
    by_archive = dict(kaldiio.load_ark(str(path)))
    assert by_table.keys() == by_archive.keys()
    assert list(by_table) == sorted(by_table, key=str.encode)
    return by_table


def read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(zip(arrays["keys"].tolist(), arrays["embeddings"], strict=True))


def read_csv(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["key", "0", "1", "2", "3", "4"]
    return {key: np.array(numbers, dtype=np.float32) for key, *numbers in rows}


READERS = {".ark": read_ark, ".npz": read_npz, ".csv": read_csv}


@pytest.mark.parametrize("suffix", WRITERS)
def test_others_read_what_was_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"embeddings{suffix}"
    for vectors in ({"old": VECTORS["a"]}, VECTORS):  # the second replaces the first
        WRITERS[suffix](path, vectors)
    found = READERS[suffix](path)
    assert found.keys() == VECTORS.keys()
    for key, vector in VECTORS.items():
        assert np.array_equal(found[key], vector)
        assert found[key].dtype == np.float32
    assert not list(tmp_path.rglob("*.partial"))


def test_keys_are_unique_and_hold_no_spaces() -> None:
    files = ["a.wav", "a.flac", "a-2.wav", "x/a.wav", "my voice.wav", "my_voice.wav"]
    keys = unique_keys([Path(file) for file in files])
    assert keys == ["a", "a-2", "a-2-2", "a-3", "my_voice", "my_voice-2"]
