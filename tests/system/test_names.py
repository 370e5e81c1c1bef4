"""Ids that become names of files stay in their folder, and apart from each other."""

from pathlib import Path

import pytest

from deep_speaker.system.names import file_name

HOSTILE = [
    "..", ".", "../x", "/etc/passwd", "a/b", "a\\b", "-rf", ".hidden", "a\nb", "a\0b", "a\x1b[2Jb",
    "a.", "C:x", "*", "a|", "%2F", "a%2Fb", "\udcff", "x" * 300, "ü" * 150,
]  # fmt: skip


@pytest.mark.parametrize(
    "key", ["id10270-x6uYq-00001", "sp0.9-anna-3", "Ana_Müller.2", "王-1", "$(x)'"]
)
def test_ordinary_ids_are_their_own_names(key: str) -> None:
    assert file_name(key) == key


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_ids_stay_in_their_folder(key: str, tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    path = folder / f"{file_name(key)}.wav"
    path.write_text("x")
    assert path.resolve().parent == folder.resolve()
    assert [item.name for item in folder.iterdir()] == [path.name]
    assert [item.name for item in tmp_path.iterdir()] == ["inside"]


def test_different_ids_have_different_names() -> None:
    alike = [*HOSTILE, "x" * 301, "a/b", "a%2fb", "%2E.", "x" * 207 + "%" + "0" * 32]
    assert len({file_name(key) for key in alike}) == len(set(alike))


def test_an_empty_id_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        file_name("")
