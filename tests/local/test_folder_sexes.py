"""The sexes of speakers in folders of your own, from sex.tsv."""

from pathlib import Path

import pytest

import prepare_folder
from support.preparation import read_both, run_main
from support.speech import write_speech


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, folder: Path) -> None:
    run_main(monkeypatch, prepare_folder, output, "--corpus-dir", folder)


@pytest.fixture
def plain_folder(tmp_path: Path) -> Path:
    """Four speakers whose names need no change."""
    speakers = tmp_path / "plain"
    write_speech(
        speakers, [f"{name}/{j}.wav" for name in ("ann", "bob", "cy", "dee") for j in (1, 2)]
    )
    return speakers


def test_sexes_come_from_sex_tsv(
    plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plain_folder / "sex.tsv").write_text("dee f\nann\tf\nbob   m \ncy\tm\nnobody\tm\n")
    prepare(monkeypatch, tmp_path / "d", plain_folder)
    sexes = {"ann": "f", "bob": "m", "cy": "m", "dee": "f"}
    assert read_both(tmp_path / "d", "spk2gender") == sexes


def test_sexes_are_of_folders_whatever_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tab ends the folder's name, which may hold spaces; the table has the safe id."""
    sexes = {"anna": "f", "ar01": "m", "Bob-Lee (2)": "m", "Żółw": "f", "zoe": "f"}
    folder = tmp_path / "my speakers"
    write_speech(folder, [f"{name}/{i}.wav" for name in sexes for i in (1, 2)])
    lines = [f"{name}\t{sex}\n" for name, sex in sexes.items()]
    (folder / "sex.tsv").write_text("".join(lines), encoding="utf-8")
    prepare(monkeypatch, tmp_path / "d", folder)
    expected = {name.replace("Bob-Lee (2)", "Bob_Lee__2_"): sex for name, sex in sexes.items()}
    assert read_both(tmp_path / "d", "spk2gender") == expected


@pytest.mark.parametrize("line", ["ann F", "ann female", "anne f", ""])
def test_a_sex_tsv_that_does_not_fit_is_named(
    plain_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    line: str,
) -> None:
    """Refused, taken or left out, but not in silence: who writes it expects same-sex results."""
    (plain_folder / "sex.tsv").write_text(f"bob m\ncy m\ndee f\n{line}".strip() + "\n")
    try:
        prepare(monkeypatch, tmp_path / "d", plain_folder)
    except ValueError as error:
        assert "sex.tsv" in str(error)
    else:
        taken = all((tmp_path / "d" / part / "spk2gender").exists() for part in ("train", "test"))
        assert taken or "sex.tsv" in caplog.text


def test_a_byte_order_mark_is_no_part_of_the_first_name(
    plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\ufeffann f\r\nbob m\r\ncy m\r\ndee f\r\n"
    (plain_folder / "sex.tsv").write_text(text, encoding="utf-8")
    prepare(monkeypatch, tmp_path / "d", plain_folder)
    sexes = {"ann": "f", "bob": "m", "cy": "m", "dee": "f"}
    assert read_both(tmp_path / "d", "spk2gender") == sexes
