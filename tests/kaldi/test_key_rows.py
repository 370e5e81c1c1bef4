"""Rows of keys."""

import numpy as np
import pytest

from deep_speaker.kaldi import key_rows
from deep_speaker.kaldi.key_rows import KeyRows, group_alike
from deep_speaker.kaldi.words import Words, join_words

# Of one letter more, of eight letters, of ends alike, and in other letters.
KEYS = ["b", "", "bb", "12345678", "123456789", "x12345678", "李-1", "é" * 30, "a\0", "a"]


def words_of(*words: str) -> Words:
    return join_words([word.encode() for word in words])


@pytest.mark.parametrize("per_key", [1, 16])
def test_keys_are_found_and_others_are_not(per_key: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where most of them share their place with another."""
    monkeypatch.setattr(key_rows, "PLACES_PER_KEY", per_key)
    keys = KEYS + [f"id{i:05d}-{i % 7}" for i in range(300)]
    rows = KeyRows(keys)
    order = np.random.default_rng(0).permutation(len(keys))
    found = rows.find(words_of(*(keys[i] for i in order)))
    assert found.tolist() == order.tolist()
    assert found.dtype == np.int32
    assert rows.find(
        words_of("c", "1234567", "1234567890", "李", "a\0\0", "id00001-2")
    ).tolist() == ([-1] * 6)
    assert rows.names() == keys
    assert [bytes(part).rstrip(b"\0").decode() for part in rows.padded(order[:20])] == [
        keys[i].rstrip("\0") for i in order[:20]
    ]


def test_nothing_is_found_where_nothing_is() -> None:
    assert KeyRows().find(words_of("a", "")).tolist() == [-1, -1]
    assert KeyRows(["a"]).find(words_of("b", "a")).tolist() == [-1, 0]


def test_unknown_words_become_keys_in_the_order_they_come() -> None:
    rows, expected = KeyRows(), dict[str, int]()
    rng = np.random.default_rng(0)
    for size in range(1, 60):
        words = [f"{'x' * int(i % 11)}{i}" for i in rng.integers(0, 10 * size, size=20)]
        for word in words:
            expected.setdefault(word, len(expected))
        assert rows.find_or_add(words_of(*words)).tolist() == [expected[word] for word in words]
    assert rows.names() == list(expected)
    assert rows.have(words_of(*expected), np.arange(len(expected)))


@pytest.mark.parametrize("collide", [False, True])
def test_words_that_are_the_same_are_grouped(
    collide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where words of one hash differ, in length or bytes: they stand alone, or in a group."""
    if collide:
        monkeypatch.setattr(key_rows, "hash_words", lambda eights: eights[0] * np.uint64(0))
    words = ["b", "12345678x", "b", "", "12345678y", "12345678x", "a\0", "a", "b", ""]
    firsts, groups = group_alike(words_of(*words))
    assert [words[i] for i in firsts[groups]] == words
    assert groups[0] == groups[2] == groups[8]
    if not collide:
        assert firsts.tolist() == [0, 1, 3, 4, 6, 7]
    assert [part.tolist() for part in group_alike(words_of("", ""))] == [[0], [0, 0]]


def test_words_are_the_keys_of_some_rows_or_are_not() -> None:
    rows = KeyRows(KEYS)
    words = words_of("bb", "12345678", "é" * 30)
    assert rows.have(words, np.array([2, 3, 7]))
    for others in ([2, 3], [2, 3, 7, 0], [2, 4, 7], [0, 3, 7], [2, 3, 6], []):
        assert not rows.have(words, np.array(others, dtype=np.int32))
