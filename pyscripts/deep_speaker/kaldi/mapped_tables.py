"""Tables of any length as mappings: mapped into memory, of which an index takes 16 bytes a line."""

import mmap
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from pathlib import Path

from deep_speaker.config.stages import missing_table
from deep_speaker.kaldi.tables import parse_line
from deep_speaker.system.hash_index import HashIndex


class MappedTable(Mapping[str, str]):
    """A table that is read as a dict: in any order, in some microseconds a key.

    A place of it is the byte at which a line begins.

    Raises:
        ValueError: as `read_table`.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ValueError(missing_table(path))
        with path.open("rb") as file:
            empty = not path.stat().st_size  # of which there is no map
            self._data = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.path = path
        self._index = HashIndex((key, place) for place, key, _ in self.rows())
        for first, second in self._index.alike():
            if self.at(first)[0] == self.at(second)[0]:
                raise ValueError(
                    f"{path}, line {self._number(second)}: {self.at(second)[0]!r} comes twice: "
                    "remove one line"
                )

    def rows(self) -> Iterator[tuple[int, str, str]]:
        """Yield the places, keys and values of all lines."""
        place = 0
        for number, line in enumerate(self._lines(), 1):
            yield place, *parse_line(self.path, number, line)
            place += len(line)

    def _lines(self) -> Iterator[bytes]:
        place = 0
        while place < len(self._data):
            end = self._data.find(b"\n", place) + 1 or len(self._data)
            yield self._data[place:end]
            place = end

    def _number(self, place: int) -> int:
        return 1 + self._data[:place].count(b"\n")

    def at(self, place: int) -> tuple[str, str]:
        """Return the key and the value of the line at a place."""
        line = self._data[place : self._data.find(b"\n", place) + 1 or len(self._data)]
        return parse_line(self.path, 0, line)

    def find(self, key: str) -> int | None:
        """Return the place of a key; None if there is none."""
        return next((place for place in self._index.find(key) if self.at(place)[0] == key), None)

    def __getitem__(self, key: str) -> str:
        for place in self._index.find(key):
            found, value = self.at(place)
            if found == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for _, key, _ in self.rows())

    def __len__(self) -> int:
        return len(self._index)

    def items(self) -> "_Items":
        """Return the keys and values, which are read in the order of the table."""
        return _Items(self)

    def values(self) -> "_Values":
        """Return the values, which are read in the order of the table."""
        return _Values(self)


class _Items(ItemsView[str, str]):
    _mapping: MappedTable

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((key, value) for _, key, value in self._mapping.rows())


class _Values(ValuesView[str]):
    _mapping: MappedTable

    def __iter__(self) -> Iterator[str]:
        return (value for _, _, value in self._mapping.rows())
