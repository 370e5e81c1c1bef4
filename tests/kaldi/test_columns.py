"""Files of columns, read in blocks."""

import re
from pathlib import Path

import pytest

from deep_speaker.kaldi import columns
from deep_speaker.kaldi.columns import iterate_columns

COLUMNS = "a b 1\nc\td  2 \n  e f 3\ng h 4"  # the last line may have no end


def read(path: Path) -> list[tuple[int, list[list[str]]]]:
    """Return all blocks of a file, with their columns as lists of words."""
    blocks = iterate_columns(path, "enroll test score")
    return [(first, [words.tolist() for words in found]) for first, found in blocks]


def test_columns_come_in_blocks_with_the_number_of_their_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s").write_text(COLUMNS)
    whole = read(tmp_path / "s")
    assert whole == [(1, [["a", "c", "e", "g"], ["b", "d", "f", "h"], ["1", "2", "3", "4"]])]
    monkeypatch.setattr(columns, "BLOCK_BYTES", 8)  # lines are read on until these are reached
    blocks = read(tmp_path / "s")
    assert blocks == [
        (1, [["a", "c"], ["b", "d"], ["1", "2"]]),
        (3, [["e", "g"], ["f", "h"], ["3", "4"]]),
    ]
    (tmp_path / "s").write_text("")
    assert read(tmp_path / "s") == []


@pytest.mark.parametrize("line", ["a b", "a b 1 2", "", "a"])
@pytest.mark.parametrize("block_bytes", [1, 8, 1 << 22])
def test_a_line_of_another_number_of_words_is_quoted_with_its_number(
    block_bytes: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the next line has as many too few as it has too many."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    (tmp_path / "s").write_text(f"{COLUMNS}\n{line}\na b c\na b c d\na b\n")
    told = f"/s, line 5: .*'enroll test score'.* {re.escape(repr(line + chr(10)))}$"
    with pytest.raises(ValueError, match=told):
        read(tmp_path / "s")


def test_columns_of_another_encoding_are_refused_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "BLOCK_BYTES", 1)
    good = b"a b 1\n" * 3000  # more than is decoded at once
    (tmp_path / "s").write_bytes(good + b"a b \xeb\n")
    with pytest.raises(ValueError, match=r"/s, line \d+ or later: .*UTF-8") as caught:
        read(tmp_path / "s")
    assert 1000 < int(str(caught.value).split(" line ")[1].split()[0]) <= 3001
    (tmp_path / "s").write_bytes(b"a b \xeb\n")
    with pytest.raises(ValueError, match=r"/s, line 1 or later: .*UTF-8"):
        read(tmp_path / "s")


def test_a_byte_order_mark_before_columns_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("\ufeffa b 1\na c 2\n", encoding="utf-8")
    assert read(tmp_path / "scores") == [(1, [["a", "a"], ["b", "c"], ["1", "2"]])]


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    "lines",
    ["a b 1\r\nc d 2\r\n", "a b 1\rc d 2", "a\u3000b 1\nc d 2\n", "a  b 1\n\x1fc d 2\n",
     "a b 1 \nc d 2\t\n"],
)  # fmt: skip
def test_white_space_and_ends_of_lines_may_be_of_any_kind(
    lines: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    (tmp_path / "s").write_bytes(lines.encode())
    found = [row for _, block in read(tmp_path / "s") for row in zip(*block, strict=True)]
    assert found == [("a", "b", "1"), ("c", "d", "2")]


@pytest.mark.parametrize(
    "name", ["x" * 1024, "李" * 7 + "é", "\x1b[2J", "x\0", "12345678", "\u200b", "a\x7f"]
)
def test_words_are_what_is_between(name: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(f"a b 1\n{name} b 2\n", encoding="utf-8")
    assert read(tmp_path / "s") == [(1, [["a", name], ["b", "b"], ["1", "2"]])]


def test_a_broken_file_of_one_word_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(f"a b 1\n{'x' * 1025} b 2\n")
    with pytest.raises(ValueError, match=r"/s, line 2: .*'x"):
        read(tmp_path / "s")
