"""What is wanted of shards: keys, and the sums of the inputs of each."""

from array import array
from collections.abc import Iterable, Iterator, Mapping

from deep_speaker.system.hash_index import HashIndex


class Wanted:
    """What is wanted of shards, by key, and which of it they have: 25 bytes a key.

    Keys are known by their hashes. Two have one in a run of a hundred million, which would then
    end with an error; the next run has other hashes.
    """

    def __init__(self, sums: Iterable[tuple[str, str]]) -> None:
        """Note the sums of the inputs of all that is wanted, as of `short_sum`."""
        self._sums = array("Q")
        self._rows = HashIndex(self._note(sums))
        self.uncover()

    def _note(self, sums: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int]]:
        for row, (key, value) in enumerate(sums):
            self._sums.append(int(value, 16))
            yield key, row

    def _row(self, key: str) -> int | None:
        return next(iter(self._rows.find(key)), None)

    def __len__(self) -> int:
        return len(self._sums)

    def __contains__(self, key: str) -> bool:
        return self._row(key) is not None

    def sum_of(self, key: str) -> str:
        """Return the sum of the inputs of a key that is wanted."""
        row = self._row(key)
        assert row is not None
        return f"{self._sums[row]:016x}"

    @property
    def missing(self) -> int:
        """The number of keys that no shard found has."""
        return self._covered.count(False)

    def lacks(self, key: str) -> bool:
        """Tell whether a key is wanted that no shard found has."""
        row = self._row(key)
        return row is not None and not self._covered[row]

    def uncover(self) -> None:
        """Forget which shards were found."""
        self._covered = bytearray(len(self._sums))

    def cover(self, made_of: Mapping[str, list[str]]) -> bool:
        """Note that a shard has keys, if it is current and no other has one of them.

        Args:
            made_of: of a record.
        """
        rows = {key: row for key in made_of if (row := self._row(key)) is not None}
        sums = ((f"{self._sums[row]:016x}", made_of[key]) for key, row in rows.items())
        if not rows or any(self._covered[row] for row in rows.values()):
            return False
        if not all(value in accepted for value, accepted in sums):
            return False
        for row in rows.values():
            self._covered[row] = True
        return True
