"""Kaldi archives (ark) and the tables that point into them (scp).

Writing goes through kaldiio. Reading here maps the files into memory and takes just the bytes
asked for: a chunk of a matrix costs microseconds, not the whole matrix.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from kaldiio.matio import write_array

from deep_speaker.files import replacing_file
from deep_speaker.tables import iterate_table

TWO_BYTE = 3  # Kaldi's kTwoByteAuto: 16 bits per value, read by all of Kaldi's programs


class ArchiveWriter:
    """Write float matrices and vectors to an ark, and collect its scp entries.

    Args:
        path: the file to write.
        final_path: where the file will lie in the end, for the scp entries; absolute there.
        compress: store matrices in Kaldi's 2-byte form, half of float32.
    """

    def __init__(self, path: Path, final_path: Path | None = None, compress: bool = False) -> None:
        self._file = path.open("wb")
        self._final_path = (final_path or path).absolute()
        self._compression = TWO_BYTE if compress else None
        self.scp: dict[str, str] = {}

    def write(self, key: str, array: np.ndarray) -> None:
        self._file.write(key.encode() + b" ")
        self.scp[key] = f"{self._final_path}:{self._file.tell()}"
        write_array(self._file, array, compression_method=self._compression)

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


class ArchiveTable:
    """Random access to the matrices and vectors that an scp file names, by key.

    The files stay mapped; entries are parsed when they are read.
    """

    def __init__(self, scp: Path, keys: Sequence[str] | None = None) -> None:
        self.scp = scp
        self._entries = dict(iterate_table(scp))
        missing = [key for key in keys or () if key not in self._entries]
        if missing:
            raise ValueError(f"{scp}: {len(missing)} keys are missing, first {missing[0]!r}")
        self._maps: dict[str, mmap.mmap] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def rows(self, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows `start` to `stop` of a matrix, or of a vector, as float32 or float64.

        Raises:
            ValueError: the archive is missing, cut short, or of a form not read here.
        """
        path, _, offset = self._entries[key].rpartition(":")
        data = self._map(path)
        try:
            return _parse(data, int(offset), start, stop)
        except (struct.error, ValueError) as error:
            raise ValueError(f"{self._entries[key]} ({key}): damaged archive: {error}") from error

    def _map(self, path: str) -> mmap.mmap:
        if path not in self._maps:
            try:
                with Path(path).open("rb") as file:
                    self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:
                raise ValueError(f"{self.scp}: cannot read {path!r}: {error}") from error
        return self._maps[path]


def _parse(data: mmap.mmap, offset: int, start: int, stop: int | None) -> np.ndarray:
    if data[offset : offset + 2] != b"\0B":
        raise ValueError("no binary Kaldi object at this offset")
    kind = data[offset + 2 : offset + 6]
    if kind == b"CM2 ":  # 2-byte compression: u of 16 bits stands for minimum + u * range / 65535
        minimum, value_range, rows, columns = struct.unpack_from("<ffii", data, offset + 6)
        first, last = _limit(start, stop, rows)
        coded = _values(data, offset + 22, "<u2", first, last, columns)
        return coded * np.float32(value_range / 65535) + np.float32(minimum)
    kind = kind[:3]
    if kind in (b"FM ", b"DM "):
        rows, columns = struct.unpack_from("<xixi", data, offset + 5)
        first, last = _limit(start, stop, rows)
        kind_of_number = "<f4" if kind == b"FM " else "<f8"
        return _values(data, offset + 15, kind_of_number, first, last, columns)
    if kind in (b"FV ", b"DV "):
        (rows,) = struct.unpack_from("<xi", data, offset + 5)
        first, last = _limit(start, stop, rows)
        return _values(data, offset + 10, "<f4" if kind == b"FV " else "<f8", first, last, 1)[:, 0]
    raise ValueError(f"expected a float matrix or vector, or 2-byte compression, found {kind!r}")


def _limit(start: int, stop: int | None, rows: int) -> tuple[int, int]:
    return start, rows if stop is None else min(stop, rows)


def _values(
    data: mmap.mmap, begin: int, kind: str, first: int, last: int, columns: int
) -> np.ndarray:
    size = np.dtype(kind).itemsize * columns
    count = (last - first) * columns
    return np.frombuffer(data, kind, count, begin + first * size).reshape(-1, columns)


def write_vectors(path: Path, final_path: Path, vectors: Mapping[str, np.ndarray]) -> None:
    """Write float32 vectors, sorted by key, to `path`.ark and .scp, which names `final_path`."""
    ark = path.with_suffix(".ark")
    with ArchiveWriter(ark, final_path.with_suffix(".ark")) as writer:
        for key in sorted(vectors):
            writer.write(key, np.asarray(vectors[key], dtype=np.float32))
    write_scp(path.with_suffix(".scp"), writer.scp)


def write_scp(path: Path, entries: Mapping[str, str]) -> None:
    """Write scp entries in the order of their keys."""
    with replacing_file(path) as file:
        file.writelines(f"{key} {entries[key]}\n" for key in sorted(entries))
