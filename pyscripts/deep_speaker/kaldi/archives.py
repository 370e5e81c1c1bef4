"""Kaldi archives (ark) and the tables that point into them (scp).

Reading maps the files into memory and takes just the bytes asked for: a chunk of a matrix costs
microseconds, not the whole matrix.
"""

import mmap
import resource
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from kaldiio.matio import write_array

from deep_speaker.config.stages import MAKERS, Stage
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.matrix_forms import (
    TO_BINARY,
    Header,
    all_finite,
    cut_range,
    encode_two_byte,
    read_header,
    read_values,
)
from deep_speaker.system.files import replacing_file

# Files of one table that stay mapped: each holds a file descriptor, of 1024, or 256 on a Mac.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
MAX_MAPPED = 200
if DESCRIPTORS != resource.RLIM_INFINITY:
    MAX_MAPPED = max(1, min(MAX_MAPPED, DESCRIPTORS // 8))


class ArchiveWriter:
    """Write float matrices and vectors to an ark, and collect its scp entries.

    Args:
        path: the file to write.
        final_path: where the file will lie in the end, for the scp entries; absolute there.
        compress: store matrices (float32) in Kaldi's 2-byte form, half as long.
    """

    def __init__(self, path: Path, final_path: Path | None = None, compress: bool = False) -> None:
        self._file = path.open("wb")
        self._final_path = (final_path or path).absolute()
        self._compress = compress
        self.scp: dict[str, str] = {}

    def write(self, key: str, array: np.ndarray) -> None:
        """Append an array."""
        self._file.write(key.encode() + b" ")
        self.scp[key] = f"{self._final_path}:{self._file.tell()}"
        if self._compress:
            self._file.write(b"\0B")
            self._file.writelines(encode_two_byte(array))
        else:
            write_array(self._file, array)

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


class MappedFiles:
    """Archives mapped into memory, each when it is first read, and the last `MAX_MAPPED` kept."""

    def __init__(self) -> None:
        self._maps: dict[str, mmap.mmap] = {}

    def find(self, entry: str) -> tuple[mmap.mmap, Header]:
        """Return the file that an entry of an scp file names, and the header of the object there.

        Raises:
            OSError: the file cannot be mapped.
            ValueError: the entry is no `file`, `file:offset` or one of these with a `[range]`; or
                the archive is empty, cut short, or of a form not read here.
        """
        path, offset, part = split_entry(entry)
        if path not in self._maps:
            if len(self._maps) == MAX_MAPPED:
                del self._maps[next(iter(self._maps))]
            with Path(path).open("rb") as file:
                self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        data = self._maps[path]
        header = read_header(data, offset)
        return data, cut_range(header, part) if part else header


def split_entry(entry: str) -> tuple[str, int, str]:
    """Split an entry of an scp file as Kaldi does: path, offset (by default 0), range (or empty).

    Raises:
        ValueError: it is a command, or a range has no beginning.

    >>> split_entry("/speech/raw_fbank.1.ark:12[0:480,3:10]")
    ('/speech/raw_fbank.1.ark', 12, '0:480,3:10')
    """
    path, colon, offset = entry.rpartition(":")
    if colon and offset.isdecimal():
        return path, int(offset), ""
    if entry.endswith("|"):
        raise ValueError(f"a command, of whose output no part can be read: {TO_BINARY}")
    if not entry.endswith("]"):
        return entry, 0, ""
    whole, _, part = entry[:-1].partition("[")
    if not part:
        raise ValueError("expected one range at the end, [<first>:<last>] of the rows")
    path, start, _ = split_entry(whole)
    return path, start, part


class ArchiveTable:
    """Random access to the matrices and vectors that an scp file names, by key.

    The files stay mapped; entries are found and parsed when they are read.
    """

    def __init__(self, scp: Path, keys: Iterable[str] = ()) -> None:
        self.scp = scp
        self._entries = MappedTable(scp)
        missing = [key for key in keys if key not in self._entries]
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
        entry = self._entries[key]
        try:
            data, header = self._maps.find(entry)
            values = read_values(data, header, start, stop)
        except OSError as error:
            raise ValueError(f"{self.scp}: cannot read {entry!r}: {error}") from error
        except ValueError as error:
            raise ValueError(f"{entry} ({key}): {error}") from error
        if not all_finite(values, header):
            raise ValueError(
                f"{self.scp}: {key!r} has values that are not finite (NaN or infinite): "
                f"{MAKERS.get(self.scp.name, Stage.PREPARATION).again}"
            )
        return values


def write_vectors(path: Path, final_path: Path, vectors: Mapping[str, np.ndarray]) -> None:
    """Write float32 vectors, sorted by key, to `path`.ark and .scp, which names `final_path`."""
    with writing_vectors(path, final_path) as write:
        for key in sorted(vectors):
            write(key, vectors[key])


@contextmanager
def writing_vectors(path: Path, final_path: Path) -> Iterator[Callable[[str, np.ndarray], None]]:
    """Yield a function that writes a vector; they come sorted by key. See `write_vectors`."""
    ark = path.with_suffix(".ark")
    with (
        replacing_file(path.with_suffix(".scp")) as scp,
        ArchiveWriter(ark, final_path.with_suffix(".ark")) as writer,
    ):

        def write(key: str, vector: np.ndarray) -> None:
            writer.write(key, np.asarray(vector, dtype=np.float32))
            scp.write(f"{key} {writer.scp.pop(key)}\n")

        yield write


def write_scp(path: Path, entries: Mapping[str, str]) -> None:
    """Write scp entries in the order of their keys."""
    with replacing_file(path) as file:
        file.writelines(f"{key} {entries[key]}\n" for key in sorted(entries))
