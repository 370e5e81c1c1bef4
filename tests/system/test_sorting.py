"""Sorting on disk: the order of bytes, as Kaldi sorts."""

from pathlib import Path

import pytest

from deep_speaker.system.sorting import sort_lines


def test_lines_are_sorted_by_bytes_whatever_the_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    path = tmp_path / "table"
    path.write_text("b 1\nA 1\na_b 1\nab 1\nb 1\n")
    sort_lines(path)
    assert path.read_text() == "A 1\na_b 1\nab 1\nb 1\nb 1\n"
    sort_lines(path, unique=True)
    assert path.read_text() == "A 1\na_b 1\nab 1\nb 1\n"


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match=r"\bsort\b.*coreutils"):
        sort_lines(tmp_path / "table")
