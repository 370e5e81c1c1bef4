"""JSON that is none, or would be taken for another value, is refused in one line."""

from pathlib import Path

import pytest

from deep_speaker.system.json_text import parse_json, read_json


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value in line 1"),
        ('{"a": 1,\n"b" 2}', "Expecting ':' delimiter in line 2"),
        ('{"a": 1, "a": 2}', "the key 'a' comes twice"),
        ('[{"b": {"a": 1, "a": 2}}]', "the key 'a' comes twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 5000, "Exceeds the limit"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^not JSON: ") as caught:
        parse_json(text)
    assert told in str(caught.value)
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"/x\.json: not JSON: [^\n]*: make it anew$"):
        read_json(path, "make it anew")


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match=r"/x\.json: not UTF-8"):
        read_json(tmp_path / "x.json", "")
