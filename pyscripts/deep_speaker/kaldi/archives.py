"""Kaldi archives (ark) and the tables that point into them (scp).

Writing goes through kaldiio. Reading here maps the files into memory and takes just the bytes
asked for: a chunk of a matrix costs microseconds, not the whole matrix.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from kaldiio.matio import write_array

from deep_speaker.config.stages import MAKERS, Stage
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.system.files import replacing_file

TWO_BYTE = 3  # Kaldi's kTwoByteAuto: 16 bits per value, read by all of Kaldi's programs
# Form of the values: float and double matrices and vectors; a matrix in 2-byte compression, where
# u of 16 bits stands for minimum + u * value_range / 65535.
FORMS = {"FM": "<f4", "DM": "<f8", "FV": "<f4", "DV": "<f8", "CM2": "<u2"}
KINDS = {kind: np.dtype(form) for kind, form in FORMS.items()}


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
        """Append an array."""
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


class Header(NamedTuple):
    """The first bytes of a binary Kaldi object.

    Attributes:
        kind: a key of `KINDS`.
        columns: 1 for vectors.
        begin: the byte of the file at which the values begin.
        minimum: the value of code 0, of CM2.
        value_range: the value of the highest code, less `minimum`.
    """

    kind: str
    rows: int
    columns: int
    begin: int
    minimum: float = 0
    value_range: float = 0


class MappedFiles:
    """Archives mapped into memory, each when it is first read."""

    def __init__(self) -> None:
        self._maps: dict[str, mmap.mmap] = {}

    def __getitem__(self, path: str) -> mmap.mmap:
        """Return a file's bytes.

        Raises:
            OSError: the file cannot be mapped.
            ValueError: it is empty.
        """
        if path not in self._maps:
            with Path(path).open("rb") as file:
                self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[path]


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
        self._maps = MappedFiles()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def rows(self, key: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Read rows `start` to `stop` of a matrix, or of a vector, as float32 or float64.

        Raises:
            ValueError: the archive is missing, cut short, or of a form not read here, or it holds
                what is not a number: whoever reads it first names the key.
        """
        path, _, offset = self._entries[key].rpartition(":")
        try:
            data = self._maps[path]
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.scp}: cannot read {path!r}: {error}") from error
        try:
            values = read_values(data, read_header(data, int(offset)), start, stop)
        except ValueError as error:
            raise ValueError(f"{self._entries[key]} ({key}): damaged archive: {error}") from error
        if not np.isfinite(values).all():  # a few microseconds for a chunk
            raise ValueError(
                f"{self.scp}: {key!r} has values that are not finite (NaN or infinite): "
                f"{MAKERS.get(self.scp.name, Stage.PREPARATION).again}"
            )
        return values


def read_header(data: mmap.mmap, offset: int) -> Header:
    """Read the header of the object at an offset into an archive.

    Raises:
        ValueError: the object is cut short, or of a form not read here.
    """
    if data[offset : offset + 2] != b"\0B":
        raise ValueError("no binary Kaldi object at this offset")
    kind = data[offset + 2 : offset + 6].split(b" ")[0].decode("latin-1")
    try:
        if kind == "CM2":
            minimum, value_range, rows, columns = struct.unpack_from("<ffii", data, offset + 6)
            header = Header(kind, rows, columns, offset + 22, minimum, value_range)
        elif kind in ("FM", "DM"):
            rows, columns = struct.unpack_from("<xixi", data, offset + 5)
            header = Header(kind, rows, columns, offset + 15)
        elif kind in ("FV", "DV"):
            (rows,) = struct.unpack_from("<xi", data, offset + 5)
            header = Header(kind, rows, 1, offset + 10)
        else:
            found = "an integer vector" if kind[:1] == "\4" else f"{kind + ' '!r}"
            raise ValueError(
                f"expected a float matrix or vector, or 2-byte compression, found {found}"
            )
    except struct.error as error:
        raise ValueError(str(error)) from error
    end = header.begin + header.rows * header.columns * KINDS[kind].itemsize
    if header.rows < 0 or header.columns < 0 or end > len(data):
        raise ValueError(
            f"{header.rows} x {header.columns} values would end at byte {end}, the file ends at "
            f"{len(data)}"
        )
    return header


def read_values(
    data: mmap.mmap, header: Header, start: int = 0, stop: int | None = None
) -> np.ndarray:
    """Read rows `start` to `stop` of an object: float32 or float64, (rows, columns) or (rows,).

    Raises:
        ValueError: there are no such rows.
    """
    last = header.rows if stop is None else min(stop, header.rows)
    form, columns = KINDS[header.kind], header.columns
    begin = header.begin + start * columns * form.itemsize
    values = np.frombuffer(data, form, (last - start) * columns, begin)
    if header.kind in ("FV", "DV"):
        return values
    values = values.reshape(-1, columns)
    if header.kind == "CM2":
        return values * np.float32(header.value_range / 65535) + np.float32(header.minimum)
    return values


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
