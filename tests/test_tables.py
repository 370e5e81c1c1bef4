"""Kaldi tables, line by line and whole."""

from pathlib import Path

import pytest

from deep_speaker.tables import iterate_table, read_optional_table, read_table, write_table


def test_a_missing_table_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    for name, stage in (
        ("wav.scp", 0),
        ("feats.scp", 1),
        ("utt2num_frames", 1),
        ("xvector.scp", 4),
    ):
        with pytest.raises(ValueError, match=rf"{name} is missing: run stage {stage} first"):
            read_table(tmp_path / name)


def test_a_table_may_be_written_by_kaldi_itself(tmp_path: Path) -> None:
    """Kaldi ends lines with a space, and separates by tabs or several spaces."""
    (tmp_path / "table").write_text("a 1 2 \nb\t3\nc   4\n")
    assert read_table(tmp_path / "table") == {"a": "1 2", "b": "3", "c": "4"}


def test_a_bad_line_is_quoted_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("a 1\nb \n")
    with pytest.raises(ValueError, match=r"table, line 2: .*'b \\n'"):
        read_table(tmp_path / "table")
    (tmp_path / "table").write_text("a 1\nb 2\na 3\n")
    with pytest.raises(ValueError, match="table, line 3: 'a' stands there twice"):
        read_table(tmp_path / "table")


def test_nothing_said_may_stand_in_a_text_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a two words\nb\n")
    assert list(iterate_table(tmp_path / "text")) == [("a", "two words"), ("b", "")]


def test_tables_are_written_in_the_order_of_bytes(tmp_path: Path) -> None:
    write_table(tmp_path / "table", {"b": 2, "李-1": "x y", "B": 0.5, "\U00010400": 1})
    assert (tmp_path / "table").read_text() == "B 0.5\nb 2\n李-1 x y\n\U00010400 1\n"
    assert read_optional_table(tmp_path / "table") == read_table(tmp_path / "table")
    assert read_optional_table(tmp_path / "other") == {}


def test_a_line_of_another_encoding_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("a Zoë\nb Zo".encode() + b"\xeb\n")
    with pytest.raises(ValueError, match=r"text, line 2: not UTF-8: b'b Zo"):
        read_table(tmp_path / "text")
