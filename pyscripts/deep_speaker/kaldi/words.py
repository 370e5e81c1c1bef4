"""Columns of words where they lie in a text, as numbers of eight bytes, without an object each."""

from collections.abc import Sequence

import numpy as np

EIGHT = 8
PAD = bytes(4 * EIGHT)  # after a text, so that eight bytes can be taken at any place of it
MASKS = np.array([(1 << 8 * kept) - 1 for kept in range(EIGHT + 1)], np.uint64)  # low bytes


class Words:
    """Words of a text in UTF-8.

    Attributes:
        starts: of the words, in bytes: int64, shape (words,).
        lengths: likewise.
    """

    def __init__(self, text: bytes, starts: np.ndarray, lengths: np.ndarray) -> None:
        """Keep the text, and where its words are."""
        self._text = text
        whole = text + PAD[: len(PAD) - len(text) % EIGHT]
        self._eights = np.frombuffer(whole, "<u8")
        self.starts, self.lengths = starts, lengths

    def beside(self, starts: np.ndarray, lengths: np.ndarray) -> "Words":
        """Return other words of the same text."""
        other = object.__new__(Words)
        other._text, other._eights = self._text, self._eights
        other.starts, other.lengths = starts, lengths
        return other

    def __len__(self) -> int:
        return len(self.starts)

    def octets(self, number: int) -> bytes:
        """Return the bytes of a word."""
        start = int(self.starts[number])
        return self._text[start : start + int(self.lengths[number])]

    def __getitem__(self, number: int) -> str:
        return self.octets(number).decode()

    def tolist(self) -> list[str]:
        """Return all words as texts."""
        return [self[number] for number in range(len(self))]

    def are(self, word: bytes) -> np.ndarray:
        """Tell which words are a certain one: bool, shape (words,)."""
        are = self.lengths == len(word)
        for i in range(-(-len(word) // EIGHT)):
            eight = word[EIGHT * i :][:EIGHT]
            are &= self.eights(i) == np.uint64(int.from_bytes(eight, "little"))
        return are

    def eights(self, number: int) -> np.ndarray:
        """Return the bytes from 8 * `number` on of each word, 0 past its end: uint64, (words,)."""
        begin = EIGHT * number
        kept = MASKS[np.clip(self.lengths - begin, 0, EIGHT)]
        within = np.minimum(begin, self.lengths) if number else 0
        return self.eights_at(self.starts + within) & kept

    def eights_at(self, places: np.ndarray) -> np.ndarray:
        """Return eight bytes of the text at each place, the first lowest: uint64, (places,)."""
        row, shift = places >> 3, ((places & 7) << 3).astype(np.uint64)
        found = self._eights[row] >> shift
        # In two steps, as a shift by all 64 bits at once is not defined.
        found |= self._eights[row + 1] << (np.uint64(56) - shift) << np.uint64(8)
        return found


def join_words(words: Sequence[bytes]) -> Words:
    """Return some words as those of one text."""
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    return Words(b"".join(words), np.cumsum(lengths) - lengths, lengths)
