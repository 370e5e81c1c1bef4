"""Checks of the arks behind scp files: present, whole, of the right kind, size and values."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.archives import MappedFiles
from deep_speaker.kaldi.matrix_forms import (
    COMPRESSED,
    MATRICES,
    TO_BINARY,
    VECTORS,
    Header,
    read_values,
)
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.validation.tables import TableRow, iterate_sorted, line_error, tell_remedy

KIND_NAMES = {
    "FM": "a float32 matrix",
    "DM": "a double matrix",
    "FV": "a float32 vector",
    "DV": "a double vector",
    "CM": "a matrix in 1-byte compression by column",
    "CM2": "a matrix in 2-byte compression",
    "CM3": "a matrix in 1-byte compression",
}
FEATURES = ("feats.scp", "vad.scp", "utt2num_frames")
MATRICES_OF_SUMS = ("utt_cmvn.scp", "cmvn.scp")


class ArchivedObject(NamedTuple):
    """A matrix or vector that an scp file names, and the error to raise if it is wrong."""

    scp: Path
    header: Header
    values: Callable[[], np.ndarray]
    error: Callable[[str], ValueError]


def iterate_objects(scp: Path, kinds: Collection[str]) -> Iterator[tuple[str, ArchivedObject]]:
    """Yield the keys of an scp file and the objects that they name, none of them read yet.

    Raises:
        ValueError: with file, line and remedy: the keys are not sorted and unique, an entry is not
            absolute path, perhaps with offset and range, or its archive is missing, cut short, or
            holds another kind than `kinds`.
    """
    files = MappedFiles()
    for row in iterate_sorted(scp):
        yield row[1], _find_object(scp, row, files, kinds)


def _find_object(
    scp: Path, row: TableRow, files: MappedFiles, kinds: Collection[str]
) -> ArchivedObject:
    number, key, entry = row

    def error(message: str) -> ValueError:
        return line_error(scp, number, f"{key!r} ({entry}): {message}")

    if not entry.startswith("/") and not entry.endswith("|"):
        raise error(f"not an absolute path (/folder/name.ark:12): {tell_remedy(scp)}")
    try:
        data, header = files.find(entry)
    except OSError as wrong:
        raise error(f"cannot be read ({wrong.strerror}): {tell_remedy(scp)}") from wrong
    except ValueError as wrong:
        remedy = (
            "" if TO_BINARY in str(wrong) else f": {tell_remedy(scp)}, or rewrite it as float32"
        )
        raise error(f"{wrong}{remedy}") from wrong
    if header.kind not in kinds:
        expected = " or ".join(KIND_NAMES[kind] for kind in kinds)
        raise error(f"{KIND_NAMES[header.kind]}, not {expected}: rewrite it as float32")
    return ArchivedObject(scp, header, lambda: read_values(data, header), error)


def check_finite(item: ArchivedObject) -> np.ndarray:
    """Refuse NaN and infinite values.

    Returns:
        The values checked: all, or of a compressed matrix the two floats of its header.
    """
    header = item.header
    compressed = header.kind in COMPRESSED
    values = np.array([header.minimum, header.value_range]) if compressed else item.values()
    if not np.isfinite(values).all():
        raise item.error(f"NaN or infinite values: {tell_remedy(item.scp)}")
    return values


def validate_features(folder: Path) -> tuple[int, int] | None:
    """Check features and voice activity of a directory whose tables are valid.

    Returns:
        The number of frames, and their size; None if the directory has no features yet.
    """
    there = [name for name in FEATURES if (folder / name).exists()]
    missing = [name for name in FEATURES if name not in there]
    if there and missing:
        raise ValueError(
            f"{folder / missing[0]} is missing, though {there[0]} is there: "
            f"{Stage.FEATURES.again}, or remove {' and '.join(there)}"
        )
    total = columns = 0
    if there:
        total, columns = _check_frames(folder)
    for name in MATRICES_OF_SUMS:
        if (folder / name).exists():
            _check_sums(folder / name, columns)
    return (total, columns) if there else None


def _check_frames(folder: Path) -> tuple[int, int]:
    feats, vad = folder / "feats.scp", folder / "vad.scp"
    total = columns = 0
    counts = iterate_table(folder / "utt2num_frames")
    features, activity = (
        iterate_objects(feats, (*MATRICES, *COMPRESSED)),
        iterate_objects(vad, VECTORS),
    )
    for (_, item), (_, decisions), (_, count) in zip(features, activity, counts, strict=True):
        check_columns(item, columns)
        rows, columns = item.header.rows, item.header.columns
        total += rows
        if rows != int(count):
            raise item.error(f"{rows} frames, utt2num_frames has {count}: {Stage.FEATURES.again}")
        check_finite(item)
        if decisions.header.rows != rows:
            raise decisions.error(
                f"{decisions.header.rows} frames, the features have {rows}: {Stage.FEATURES.again}"
            )
        values = decisions.values()
        if not ((values == 0) | (values == 1)).all():
            raise decisions.error(f"values other than 0 and 1: {Stage.FEATURES.again}")
    return total, columns


def check_columns(item: ArchivedObject, columns: int) -> None:
    """Check that an object has the expected number of columns; 0: any number from 1."""
    found = item.header.columns
    if not found or columns not in (0, found):
        expected = columns or "one or more"
        raise item.error(f"{found} columns, not {expected}: {tell_remedy(item.scp)}")


def _check_sums(scp: Path, columns: int) -> None:
    """Check CMVN sums: a row of sums and a count, a row of sums of squares and a zero."""
    for _, item in iterate_objects(scp, MATRICES):
        columns = columns or item.header.columns - 1
        if (item.header.rows, item.header.columns) != (2, columns + 1):
            raise item.error(
                f"{item.header.rows} x {item.header.columns} sums, not 2 x {columns + 1}, those of "
                f"the features and their number: {Stage.FEATURES.again}"
            )
        check_finite(item)
