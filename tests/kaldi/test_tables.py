"""Kaldi tables, line by line and whole."""

import subprocess
from pathlib import Path

import pytest

from deep_speaker.kaldi.tables import (
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
