"""The forms of matrices and vectors in Kaldi's archives: plain, and its three compressions.

A form is named by the token that Kaldi writes before it. Values are those of its CompressedMatrix
(compressed-matrix.cc), bit for bit; rows are decoded from just the bytes that hold them.
"""

import mmap
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

# What lies in the file: values of float and double matrices and vectors; codes of compressed ones.
STORED: dict[str, np.dtype] = {
    "FM": np.dtype("<f4"),
    "DM": np.dtype("<f8"),
    "FV": np.dtype("<f4"),
    "DV": np.dtype("<f8"),
    "CM": np.dtype("u1"),
    "CM2": np.dtype("<u2"),
    "CM3": np.dtype("u1"),
}
KINDS = {b"\0B" + kind.encode() + b" ": kind for kind in STORED}  # by what lies before
MATRICES, VECTORS = ("FM", "DM"), ("FV", "DV")
COMPRESSED = ("CM", "CM2", "CM3")
# The highest code of the compressions that divide the range of all values into equal steps.
HIGHEST_CODES = {"CM2": 65535, "CM3": 255}
# CM has four values for each column, those of its codes 0, 64, 192 and 255; straight in between.
PERCENTILES, PERCENTILE_BYTES = 4, 8
KNOTS = (0, 64, 192, 255)
PERCENTILE_STEP = np.float32(1.52590218966964e-05)  # Kaldi's 1 / 65535
RANGE = re.compile(r"(:|\d+:\d+)(?:,(:|\d+:\d+))?", re.ASCII)
ROWS_TOGETHER = 256  # are compressed at a time: so many stay in the cache
OVERSHOOT = 3  # rows that a range may reach past the last, as Kaldi allows
TO_BINARY = (
    "copy it into a binary archive (copy-feats scp:feats.scp ark,scp:/x/feats.ark,feats.scp)"
)


class Header(NamedTuple):
    """A matrix or vector in an archive, or the part of one that a range leaves.

    Attributes:
        kind: a key of `STORED`.
        rows, columns: of the part; 1 column of vectors.
        begin: the byte of the file at which the values, or the percentiles of CM, begin.
        stored: rows and columns of the whole.
        minimum: the value of the lowest code, of compressed matrices.
        value_range: the value of the highest code, less `minimum`.
        first_row, first_column: of the part, in the whole.
    """

    kind: str
    rows: int
    columns: int
    begin: int
    stored: tuple[int, int]
    minimum: float = 0
    value_range: float = 0
    first_row: int = 0
    first_column: int = 0


def read_header(data: mmap.mmap, offset: int) -> Header:
    """Read the header of the object at an offset into an archive.

    Raises:
        ValueError: the object is cut short, or of a form not read here.
    """
    found = data[offset : offset + 6]
    kind = KINDS.get(found) or KINDS.get(found[:5])
    if kind is None:
        raise ValueError(_tell_other(data[offset : offset + 80]))
    sizes = offset + 3 + len(kind)  # behind the token and a space
    minimum = value_range = 0.0
    try:
        if kind in COMPRESSED:
            minimum, value_range, rows, columns = struct.unpack_from("<ffii", data, sizes)
            begin = sizes + 16
        elif kind in VECTORS:
            (rows,) = struct.unpack_from("<xi", data, sizes)
            columns, begin = 1, sizes + 5
        else:
            rows, columns = struct.unpack_from("<xixi", data, sizes)
            begin = sizes + 10
    except struct.error as error:
        raise ValueError(f"damaged archive: {error}") from error
    end = begin + rows * columns * STORED[kind].itemsize
    if kind == "CM":
        end += columns * PERCENTILE_BYTES
    if rows < 0 or columns < 0 or end > len(data):
        raise ValueError(
            f"damaged archive: {rows} x {columns} values would end at byte {end}, the file ends at "
            f"{len(data)}"
        )
    return Header(kind, rows, columns, begin, (rows, columns), minimum, value_range)


def _tell_other(found: bytes) -> str:
    """Tell what lies where an object should begin."""
    if found.lstrip(b" ")[:1] == b"[":
        return f"a text archive: {TO_BINARY}"
    if found[:2] == b"\x1f\x8b":
        return f"compressed by gzip: {TO_BINARY}"
    if found[:2] == b"\0B":
        token = found[2:6].partition(b" ")[0].decode("latin-1")
        other = "an integer vector" if token[:1] == "\4" else f"{token + ' '!r}"
        return f"expected a float matrix or vector, found {other}"
    return "damaged archive: no binary Kaldi object at this offset"


def cut_range(header: Header, text: str) -> Header:
    """Return the header of the part that Kaldi's range leaves, `0:480` or `0:480,3:10`.

    Rows, then columns, from the first to the last; `:` is all of them. The rows may end up to
    `OVERSHOOT` past the last, as those of segments do.

    Raises:
        ValueError: there is no such part.
    """
    match = RANGE.fullmatch(text)
    rows, columns = match.groups() if match else ("", "")
    first_row, row = _bounds(rows or ":", header.rows, OVERSHOOT)
    first_column, column = _bounds(columns or ":", header.columns, 0)
    no_columns = header.kind in VECTORS and columns
    if not match or no_columns or first_row >= row or first_column >= column:
        raise ValueError(
            f"no range [{text}] of {header.rows} x {header.columns} values: expected "
            "[<first>:<last>] of the rows, or [<rows>,<columns>], counted from 0"
        )
    return header._replace(
        rows=row - first_row,
        columns=column - first_column,
        first_row=first_row,
        first_column=first_column,
    )


def _bounds(text: str, size: int, overshoot: int) -> tuple[int, int]:
    """Return the first and the last but one; (0, 0) where a range has no such."""
    if text == ":":
        return 0, size
    first, last = map(int, text.split(":"))
    return (first, min(last + 1, size)) if last < size + overshoot else (0, 0)


def read_values(
    data: mmap.mmap, header: Header, start: int = 0, stop: int | None = None
) -> np.ndarray:
    """Read rows `start` to `stop` of an object: (rows, columns), or of a vector (rows,).

    Returns:
        float64 of a double matrix or vector, else float32; plain values are a view of the file.
    """
    last = header.rows if stop is None else min(stop, header.rows)
    rows = slice(header.first_row + start, header.first_row + last)
    kind, columns = header.kind, header.columns
    if kind == "CM":
        return _decode_by_column(data, header, rows)
    stored = np.ndarray(header.stored, STORED[kind], data, header.begin)
    if kind in VECTORS:
        return stored[rows, 0]
    found = stored[rows]
    if columns != header.stored[1]:
        found = found[:, header.first_column : header.first_column + columns]
    if kind in HIGHEST_CODES:
        values = found.astype(np.float32)  # on its own: a product of mixed types takes longer
        values *= np.float32(header.value_range * (1 / HIGHEST_CODES[kind]))
        values += np.float32(header.minimum)
        return values
    return found


def all_finite(values: np.ndarray, header: Header) -> bool:
    """Tell whether the values of an object are finite; where they are steps, by its range alone."""
    if header.kind in HIGHEST_CODES and abs(header.minimum) + abs(header.value_range) < 1e38:
        return True
    return bool(np.isfinite(values).all())


def _decode_by_column(data: mmap.mmap, header: Header, rows: slice) -> np.ndarray:
    """Decode CM, which lies in the file column by column."""
    num_rows, num_columns = header.stored
    columns = slice(header.first_column, header.first_column + header.columns)
    percentiles = np.ndarray((num_columns, PERCENTILES), "<u2", data, header.begin)[columns]
    begin = header.begin + num_columns * PERCENTILE_BYTES
    codes = np.ndarray((num_columns, num_rows), np.uint8, data, begin)[columns, rows]
    values = _values_of_codes(percentiles, header)
    places = np.arange(0, values.size, 256)
    return values.take(np.add(codes.T, places, dtype=np.intp, order="C"))


def _values_of_codes(percentiles: np.ndarray, header: Header) -> np.ndarray:
    """Return the value of every code in every column, float32, shape (columns, 256).

    In the precision of Kaldi's Uint16ToFloat and CharToFloat: the last product and sum are double.
    """
    step = np.float32(header.value_range) * PERCENTILE_STEP
    knots = np.float32(header.minimum) + step * percentiles.astype(np.float32)
    values = np.empty((len(knots), 256), np.float32)
    for i in (2, 1, 0):  # a knot belongs to the codes below it
        first, last = KNOTS[i], KNOTS[i + 1]
        low, high = knots[:, i, np.newaxis], knots[:, i + 1, np.newaxis]
        rises = (high - low) * np.arange(last - first + 1, dtype=np.float32)
        values[:, first : last + 1] = low + rises * np.float64(1 / (last - first))
    return values


def encode_two_byte(matrix: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of a float32 matrix as CM2, Kaldi's kTwoByteAuto, some rows at a time."""
    low, high = matrix.min(), matrix.max()
    if low == high:
        high = low + (1 + abs(low))
    value_range = high - low
    yield struct.pack("<4sffii", b"CM2 ", low, value_range, *matrix.shape)
    for start in range(0, len(matrix), ROWS_TOGETHER):
        codes = matrix[start : start + ROWS_TOGETHER] - low
        codes /= value_range
        codes *= np.float32(HIGHEST_CODES["CM2"])
        codes += np.float32(0.499)  # the closest code; Kaldi's
        yield codes.astype(STORED["CM2"]).tobytes()
