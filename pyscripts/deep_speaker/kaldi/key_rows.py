"""Rows of keys, found for whole columns of words."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from deep_speaker.kaldi.columns import LONGEST_WORD
from deep_speaker.kaldi.words import EIGHT, Words, join_words

MOST_UNPLACED = 1.25  # keys there are, of one in the table, before it is made anew
PLACES_PER_KEY = 16  # at least: keys that share a place are so few that they take no time
# Of a hash: any odd numbers, one for each eight bytes of a word, and one for their sum.
*FACTORS, LAST_FACTOR = (
    np.random.default_rng(0).integers(1 << 63, size=LONGEST_WORD // EIGHT + 1, dtype=np.uint64) * 2
    + 1
)


class KeyRows:
    """Finds the rows of keys.

    A word's hash leads to a key, and the two are compared, for a whole column at once. Words that
    differ from the key they find, as of keys that share a place, are looked up one by one, each
    once in a column.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Take keys that differ from each other, in the order of their rows."""
        self._keys = [key.encode() for key in keys]
        self._rows = dict(zip(self._keys, range(len(self._keys)), strict=True))
        # As of one key that no word is.
        self._num_placed = 0
        self._lengths, self._eights = np.full(1, -1, np.int32), np.zeros((1, 1), np.uint64)
        self._shift, self._places = np.uint64(63), np.zeros(2, np.int32)
        self._place()

    def names(self) -> list[str]:
        """Return the keys in the order of their rows."""
        return [key.decode() for key in self._keys]

    def padded(self, rows: np.ndarray) -> np.ndarray:
        """Return the bytes of keys, with zeros after their ends: uint8, shape (rows, longest)."""
        self._place()
        return self._eights[rows].view(np.uint8)

    def find(self, words: Words) -> np.ndarray:
        """Return the rows of words, -1 of unknown ones: int32, shape (words,)."""
        return self._find(words, lambda word: self._rows.get(word, -1))

    def find_or_add(self, words: Words) -> np.ndarray:
        """Return the rows of words, new ones of those that were unknown: int32, shape (words,)."""
        rows = self._find(words, self._row_or_new)
        if len(self._keys) > MOST_UNPLACED * self._num_placed:
            self._place()
        return rows

    def _row_or_new(self, word: bytes) -> int:
        row = self._rows.setdefault(word, len(self._keys))
        if row == len(self._keys):
            self._keys.append(word)
        return row

    def _find(self, words: Words, find_one: Callable[[bytes], int]) -> np.ndarray:
        eights = [words.eights(i) for i in range(self._width_of(words))]
        rows = self._places[self._places_of(eights)]
        others = np.flatnonzero(~self._are(words, eights, rows))
        if len(others):
            some = words.beside(words.starts[others], words.lengths[others])
            firsts, groups = group_alike(some)
            found = [find_one(some.octets(i)) for i in firsts.tolist()]
            rows[others] = np.array(found, np.int32)[groups]
        return rows

    def have(self, words: Words, rows: np.ndarray) -> bool:
        """Tell whether words are the keys of rows."""
        if len(words) != len(rows):
            return False
        self._place()
        eights = [words.eights(i) for i in range(self._width_of(words))]
        return bool(self._are(words, eights, rows).all())

    def _place(self) -> None:
        """Give every key a place in the table, unless all have theirs."""
        if len(self._keys) == self._num_placed:
            return
        self._num_placed = len(self._keys)
        words = join_words(self._keys)
        width = max(1, -(-int(words.lengths.max()) // EIGHT))
        eights = [words.eights(i) for i in range(width)]
        self._lengths = words.lengths.astype(np.int32)
        self._eights = np.stack(eights, axis=1).astype("<u8")
        num_bits = (PLACES_PER_KEY * len(self._keys)).bit_length()
        self._shift = np.uint64(64 - num_bits)
        self._places = np.zeros(1 << num_bits, np.int32)
        self._places[self._places_of(eights)] = np.arange(len(self._keys), dtype=np.int32)

    def _width_of(self, words: Words) -> int:
        """Return how many times eight bytes of words may be those of a key."""
        return min(-(-int(words.lengths.max()) // EIGHT), self._eights.shape[1])

    def _places_of(self, eights: Sequence[np.ndarray]) -> np.ndarray:
        """Return the places of words."""
        return (hash_words(eights) >> self._shift).astype(np.int64)

    def _are(self, words: Words, eights: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Tell which words are the keys of rows: bool, shape (words,)."""
        are = self._lengths[rows] == words.lengths
        for i, part in enumerate(eights):
            are &= self._eights[rows, i] == part
        return are


def hash_words(eights: Sequence[np.ndarray]) -> np.ndarray:
    """Return hashes of words by their numbers of eight bytes: uint64, shape (words,)."""
    total = np.zeros(len(eights[0]), np.uint64)
    for part, factor in zip(eights, FACTORS, strict=False):
        total += part * factor
    total ^= total >> np.uint64(32)
    return total * LAST_FACTOR


def group_alike(words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Find the words that are the same.

    Returns:
        firsts: the number of one word of each group, the first in it, in their order.
        groups: of each word, the place of its group in `firsts`: shape (words,).
    """
    eights = [words.eights(i) for i in range(max(1, -(-int(words.lengths.max()) // EIGHT)))]
    _, firsts, groups = np.unique(hash_words(eights), return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    firsts, groups = firsts[order], np.argsort(order)[groups]
    differ = np.zeros(len(words), bool)
    for part in (words.lengths, *eights):
        differ |= part != part[firsts][groups]
    alone = np.flatnonzero(differ)  # from the first with their hash: as good as never
    groups[alone] = len(firsts) + np.arange(len(alone))
    return np.concatenate([firsts, alone]), groups
