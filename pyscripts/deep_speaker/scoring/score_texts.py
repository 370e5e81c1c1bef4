"""Scores as texts of seven digits after the point, as `%.7f` of C gives, for whole columns."""

import numpy as np

from deep_speaker.kaldi.words import MASKS, Words

DIGITS = 7  # after the point
SCALE = 10.0**DIGITS
MOST = 10000  # those from here on are written one by one
ZEROS, SIXES = np.uint64(0x3030303030303030), np.uint64(0x0606060606060606)
HIGH_HALVES = np.uint64(0xF0F0F0F0F0F0F0F0)
MINUS, POINT = np.uint64(ord("-")), np.uint64(ord("."))
# Four characters each of the numbers 0 to 9999: as they are, and without zeros before them.
FOUR = np.array([b"%04d" % i for i in range(MOST)], "S4")
LEADING = np.array([(b"%d" % i).rjust(4, b"\0") for i in range(MOST)], "V4")
AFTER_POINT = np.array([b".%03d" % i for i in range(1000)], "S4")


def format_scores(scores: np.ndarray) -> np.ndarray:
    """Return the texts of scores, with zero bytes to be left out: bytes, shape (scores,).

    Args:
        scores: float32 or float64, shape (scores,); any number, infinite and none too.
    """
    # Exact of a float32, which has 24 bits, as 10^7 has 17 without its factors of two.
    scaled = scores.astype(np.float64) * SCALE
    is_odd = ~(np.abs(scaled) < MOST * SCALE - 0.5)
    scaled[is_odd] = 0
    rounded = np.rint(scaled)
    if scores.dtype != np.float32:  # rounded before, and that may have led over the middle
        from_middle = np.abs(np.abs(scaled - rounded) - 0.5)
        is_odd |= from_middle <= np.spacing(np.abs(scaled))
    whole, part = np.divmod(np.abs(rounded).astype(np.int64), int(SCALE))
    high, low = np.divmod(part, MOST)
    kinds = [("sign", "S1"), ("whole", "V4"), ("high", "S4"), ("low", "S4")]
    texts = np.empty(len(scores), kinds)
    texts["sign"] = np.where(np.signbit(scores), b"-", b"")
    texts["whole"], texts["high"], texts["low"] = LEADING[whole], AFTER_POINT[high], FOUR[low]
    found = texts.view(f"S{texts.itemsize}")
    if is_odd.any():
        slow = [b"%.7f" % score for score in scores[is_odd].tolist()]
        found = found.astype(f"S{max(found.itemsize, *map(len, slow))}")
        found[is_odd] = slow
    return found


def parse_scores(words: Words) -> np.ndarray:
    """Return the numbers of texts: float64, shape (words,).

    Raises:
        ValueError: one is no number; see `is_score`.
    """
    before_point = words.lengths - DIGITS - 1
    is_odd = (before_point < 1) | (before_point > DIGITS + 1)
    before_point[is_odd] = 1
    head = words.eights_at(words.starts)
    is_negative = (head & MASKS[1]) == MINUS
    head ^= np.where(is_negative, MINUS ^ ZEROS & MASKS[1], np.uint64(0))
    missing = (8 * (8 - before_point)).astype(np.uint64)
    head = (head << missing) | (ZEROS & ((np.uint64(1) << missing) - np.uint64(1)))
    tail = words.eights_at(words.starts + before_point)
    is_odd |= (tail & MASKS[1]) != POINT
    tail ^= POINT ^ ZEROS & MASKS[1]
    is_odd |= ~(_are_digits(head) & _are_digits(tail))
    # Exact: no more than 15 digits, divided by a power of ten that a float64 holds.
    values = (_number(head) * np.uint64(SCALE) + _number(tail)).astype(np.float64) / SCALE
    np.negative(values, out=values, where=is_negative)
    for i in np.flatnonzero(is_odd).tolist():
        values[i] = float(words[i])
    return values


def _are_digits(eights: np.ndarray) -> np.ndarray:
    """Tell which eight bytes are digits, all of them."""
    above = (eights + SIXES) & HIGH_HALVES  # of the byte after 9 it is 0x40
    return ((eights & HIGH_HALVES) == ZEROS) & (above == ZEROS)


def _number(eights: np.ndarray) -> np.ndarray:
    """Return the numbers of eight digits, the first in the lowest byte: pairs, fours, all."""
    pairs = (eights & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(10 << 8 | 1) >> np.uint64(8)
    fours = (pairs & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(100 << 16 | 1) >> np.uint64(16)
    return (fours & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(10000 << 32 | 1) >> np.uint64(32)


def is_score(text: str) -> bool:
    """Tell whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
