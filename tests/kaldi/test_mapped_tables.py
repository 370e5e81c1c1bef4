"""Tables as mappings that hold an index alone."""

import random
from pathlib import Path

import pytest

from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import iterate_table, read_table
from deep_speaker.system import hash_index


def write(folder: Path, content: str, name: str = "wav.scp") -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


def test_a_table_is_the_dict_of_its_lines_in_any_order(tmp_path: Path) -> None:
    keys = [f"id{i}-é" for i in range(500)]
    random.Random(0).shuffle(keys)
    path = write(tmp_path, "".join(f"{key}\t cat {key}  a | \n" for key in keys))
    table, expected = MappedTable(path), read_table(path)
    assert dict(table) == expected
    assert list(table) == list(table.keys()) == keys
    assert list(table.items()) == list(iterate_table(path))
    assert list(table.values()) == list(expected.values())
    assert len(table) == 500
    assert table[keys[7]] == expected[keys[7]]
    place = table.find(keys[7])
    assert place is not None
    assert table.at(place) == (keys[7], expected[keys[7]])
    assert table.find("id7") is None
    assert table.get("id7") is None
    assert "id7" not in table
    with pytest.raises(KeyError, match="id7"):
        table["id7"]


def test_keys_with_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_index, "hash", len, raising=False)
    path = write(tmp_path, "a 1\nb 2\ncc 3\ndd 4\n")
    table = MappedTable(path)
    assert dict(table) == {"a": "1", "b": "2", "cc": "3", "dd": "4"}
    assert "e" not in table
    with pytest.raises(ValueError, match=r"line 4: 'cc' comes twice: remove one line"):
        MappedTable(write(tmp_path, "a 1\nb 2\ncc 3\ncc 4\n"))


def test_the_last_line_may_lack_its_end_and_a_table_all_lines(tmp_path: Path) -> None:
    assert dict(MappedTable(write(tmp_path, "a 1\nb 2"))) == {"a": "1", "b": "2"}
    assert dict(MappedTable(write(tmp_path, "a \nb 2\n", "text"))) == {"a": "", "b": "2"}
    assert not MappedTable(write(tmp_path, ""))


@pytest.mark.parametrize("content", [None, "a 1\nb\n", "\ufeffa 1\n", "a 1\na 2\n"])
def test_what_no_table_is_is_refused_as_elsewhere(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "utt2spk" if content is None else write(tmp_path, content)
    with pytest.raises(ValueError) as expected:
        read_table(path)
    with pytest.raises(ValueError) as found:
        MappedTable(path)
    assert str(found.value) == str(expected.value)
