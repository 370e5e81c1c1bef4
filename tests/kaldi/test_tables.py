"""Kaldi tables, line by line and whole."""

import re
import subprocess
from pathlib import Path

import pytest

from deep_speaker.kaldi import tables
from deep_speaker.kaldi.tables import (
    iterate_columns,
    iterate_keys,
    iterate_table,
    read_optional_table,
    read_table,
    write_table,
)


def test_a_missing_table_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    for name, stage in (
        ("wav.scp", 0),
        ("feats.scp", 1),
        ("utt2num_frames", 1),
        ("xvector.scp", 4),
        ("xvector_crops.scp", 4),
    ):
        with pytest.raises(ValueError, match=rf"/{name} .*\bstage {stage}\b"):
            read_table(tmp_path / name)


def test_a_table_may_be_written_by_kaldi_itself(tmp_path: Path) -> None:
    """Kaldi ends lines with a space, and separates by tabs or several spaces."""
    (tmp_path / "table").write_text("a 1 2 \nb\t3\nc   4\n")
    assert read_table(tmp_path / "table") == {"a": "1 2", "b": "3", "c": "4"}


def test_a_bad_line_is_quoted_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("a 1\nb \n")
    with pytest.raises(ValueError, match=r"/table, line 2: .*'b \\n'"):
        read_table(tmp_path / "table")
    (tmp_path / "table").write_text("a 1\nb 2\na 3\n")
    with pytest.raises(ValueError, match="/table, line 3: 'a'"):
        read_table(tmp_path / "table")


def test_nothing_said_may_stand_in_a_text_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a two words\nb\n")
    assert list(iterate_table(tmp_path / "text")) == [("a", "two words"), ("b", "")]
    assert list(iterate_keys(tmp_path / "text")) == ["a", "b"]


def test_tables_are_written_in_the_order_of_bytes(tmp_path: Path) -> None:
    write_table(tmp_path / "table", {"b": 2, "李-1": "x y", "B": 0.5, "\U00010400": 1})
    assert (tmp_path / "table").read_text() == "B 0.5\nb 2\n李-1 x y\n\U00010400 1\n"
    assert read_optional_table(tmp_path / "table") == read_table(tmp_path / "table")
    assert read_optional_table(tmp_path / "other") == {}


def test_a_line_of_another_encoding_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("a Zoë\nb Zo".encode() + b"\xeb\n")
    with pytest.raises(ValueError, match=r"/text, line 2: .*b'b Zo"):
        read_table(tmp_path / "text")


# Files of columns

COLUMNS = "a b 1\nc\td  2 \n  e f 3\ng h 4"  # the last line may have no end


def test_columns_come_in_blocks_with_the_number_of_their_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s").write_text(COLUMNS)
    whole = list(iterate_columns(tmp_path / "s", "enroll test score"))
    assert whole == [(1, [["a", "c", "e", "g"], ["b", "d", "f", "h"], ["1", "2", "3", "4"]])]
    monkeypatch.setattr(tables, "BLOCK_BYTES", 8)  # lines are read on until these are reached
    blocks = list(iterate_columns(tmp_path / "s", "enroll test score"))
    assert blocks == [
        (1, [["a", "c"], ["b", "d"], ["1", "2"]]),
        (3, [["e", "g"], ["f", "h"], ["3", "4"]]),
    ]
    (tmp_path / "s").write_text("")
    assert list(iterate_columns(tmp_path / "s", "enroll test score")) == []


@pytest.mark.parametrize("line", ["a b", "a b 1 2", "", "a"])
@pytest.mark.parametrize("block_bytes", [1, 8, 1 << 22])
def test_a_line_of_another_number_of_words_is_quoted_with_its_number(
    block_bytes: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the next line has as many too few as it has too many."""
    monkeypatch.setattr(tables, "BLOCK_BYTES", block_bytes)
    (tmp_path / "s").write_text(f"{COLUMNS}\n{line}\na b c\na b c d\na b\n")
    told = f"/s, line 5: .*'enroll test score'.* {re.escape(repr(line + chr(10)))}$"
    with pytest.raises(ValueError, match=told):
        list(iterate_columns(tmp_path / "s", "enroll test score"))


def test_columns_of_another_encoding_are_refused_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 1)
    good = b"a b 1\n" * 3000  # more than is decoded at once
    (tmp_path / "s").write_bytes(good + b"a b \xeb\n")
    with pytest.raises(ValueError, match=r"/s, line \d+ or later: .*UTF-8") as caught:
        list(iterate_columns(tmp_path / "s", "enroll test score"))
    assert 1000 < int(str(caught.value).split(" line ")[1].split()[0]) <= 3001
    (tmp_path / "s").write_bytes(b"a b \xeb\n")
    with pytest.raises(ValueError, match=r"/s, line 1 or later: .*UTF-8"):
        list(iterate_columns(tmp_path / "s", "enroll test score"))


def test_a_byte_order_mark_in_a_table_is_named_with_the_command_that_removes_it(
    tmp_path: Path,
) -> None:
    """Kaldi would look for an id that begins with it."""
    path = tmp_path / "my tables" / "utt2spk"
    path.parent.mkdir()
    path.write_text("\ufeffa-1 a\na-2 a\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"/utt2spk, line 1: a byte order mark, .*sed") as caught:
        read_table(path)
    subprocess.run(["bash", "-c", str(caught.value).split("with ")[1]], check=True)
    assert read_table(path) == {"a-1": "a", "a-2": "a"}


def test_a_byte_order_mark_before_columns_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("\ufeffa b 1\na c 2\n", encoding="utf-8")
    [(first, columns)] = iterate_columns(tmp_path / "scores", "enroll test score")
    assert (first, columns) == (1, [["a", "a"], ["b", "c"], ["1", "2"]])
