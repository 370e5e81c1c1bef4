"""The walk of a folder: what it takes, in which order, and each folder once."""

import logging
import os
import random
from pathlib import Path

import pytest
import soundfile

from deep_speaker.corpora.audio_files import AudioFolder, find_audio
from deep_speaker.corpora.recordings import read_infos
from support.speech import make_speech


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def walk(root: Path, *levels: str, one_form: bool = False) -> list[str]:
    tree = AudioFolder(root, one_form=one_form)
    folders = tree.survey([root], *levels)
    return [str(path.relative_to(root)) for path in tree.audio(folders, *levels)]


def test_every_form_that_libsndfile_writes_is_found_and_read(tmp_path: Path) -> None:
    expected: list[Path] = []
    for form in soundfile.available_formats():
        if form != "RAW":
            suffix = form.lower() if len(expected) % 2 else form
            path = tmp_path / "forms" / form / f"x.{suffix}"
            path.parent.mkdir(parents=True)
            soundfile.write(path, make_speech(0), 16000, format=form)
            expected.append(path)
    tree = AudioFolder(tmp_path / "forms")
    found = dict(read_infos(tree.audio([tree.root]), 1))
    assert list(found) == sorted(expected)
    assert {info.format for info in found.values()} == set(soundfile.available_formats()) - {"RAW"}


def test_files_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    """As sorted paths do, of which parts are compared and not letters."""
    draw = random.Random(0)
    names = {"/".join(draw.choices(["a", "a-", "a b", "B", "é", "a.wav"], k=draw.randint(1, 3)))
             for _ in range(60)}  # fmt: skip
    files = [f"{name}/{stem}.wav" for name in names for stem in ("q", "q-", "Z")]
    touch(tmp_path, *files)
    assert walk(tmp_path) == [str(path) for path in sorted(map(Path, files))]


def test_hidden_files_and_folders_are_no_audio(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "._a.wav", ".trash/b.wav", "._c/d.wav", "e/.f.wav", "g.wav/h.wav")
    assert walk(tmp_path) == ["a.wav", "g.wav/h.wav"]


def test_each_folder_is_taken_once_by_its_own_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However links lead to it: to itself, around it, to its neighbour, in a circle."""
    root = touch(tmp_path / "root", "m/1.wav", "m/deep/2.wav", "z/3.wav")
    outside = touch(tmp_path / "out", "x/4.wav", "x/y/5.wav")
    touch(tmp_path, "sibling.wav")
    links: dict[str, str | Path] = {
        "a": root / "z", "m/self": root / "m", "m/up": root, "around": tmp_path, "top": "/",
        "k": outside / "x", "l": outside / "x/y", "n": outside / "x", "b": root / "a",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    (outside / "x/back").symlink_to(root / "m")
    (outside / "x/y/round").symlink_to(outside)
    expected = ["k/4.wav", "k/y/5.wav", "m/1.wav", "m/deep/2.wav", "z/3.wav"]
    assert walk(root) == expected
    assert f"{root}: 10 folders are there by another name too" in caplog.text
    tree = AudioFolder(root)
    assert [path.name for path in tree.folders("*")] == ["k", "m", "z"]


def test_of_two_links_to_folders_of_which_one_is_in_the_other_all_is_taken_once(
    tmp_path: Path,
) -> None:
    outside = touch(tmp_path / "out", "1.wav", "y/2.wav")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a").symlink_to(outside / "y")
    (tmp_path / "root/b").symlink_to(outside)
    assert walk(tmp_path / "root") == ["a/2.wav", "b/1.wav"]


def test_links_that_lead_nowhere_are_bad_files_or_folders(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = touch(tmp_path / "root", *(f"s{i}/{i}.wav" for i in range(30)))
    (root / "s0/round.wav").symlink_to(root / "s0/round.wav")
    (root / "s1/gone.FLAC").symlink_to(tmp_path / "gone")
    (root / "s30").symlink_to(tmp_path / "gone")
    files = walk(root)
    assert len(files) == 32
    assert "s30: a link to nothing" in caplog.text
    (root / "s31").symlink_to(root / "s31")
    with pytest.raises(ValueError, match=r"^2 of 32 folders are bad.*/s30: a link to nothing$"):
        AudioFolder(root).folders("*")
    bad = [root / "s0/round.wav", root / "s1/gone.FLAC"]
    with pytest.raises(ValueError, match=r"^2 of 2 files .*round\.wav: a link to nothing$"):
        list(read_infos(bad, 1))


def test_a_folder_that_cannot_be_read_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root, scandir = touch(tmp_path, "a/1.wav", "b/2.wav"), os.scandir

    def refuse(folder: Path | str) -> object:
        if str(folder).endswith("/b"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert walk(root) == ["a/1.wav"]
    assert f"{root}/b: permission denied" in caplog.text


def test_what_is_left_out_is_told_by_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    touch(tmp_path, "a/1.wav", "a/1.flac", "a/1.txt", "a/2.wma", "b/3.WMA", "b/notes.txt", "a/4")
    touch(tmp_path, "a/x/5.wav", "6.wav")
    found = find_audio(tmp_path, "*", "*")
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/1.wav"]
    assert caplog.messages == [
        "2 files left out, as .wma is not read (convert them to WAV or FLAC): first "
        f"{tmp_path}/a/2.wma",
        f"1 files left out, as another form of them is taken: first {tmp_path}/a/1.flac",
        f"1 of 2 folders hold no audio that is read, and are left out, first {tmp_path}/b",
    ]


def test_of_several_forms_wav_comes_first_and_what_only_ffmpeg_reads_last(tmp_path: Path) -> None:
    touch(tmp_path, "a.m4a", "a.WAV", "a.flac", "b.m4a", "b.ogg", "b.v2.ogg", "c.aac")
    assert walk(tmp_path, one_form=True) == ["a.WAV", "b.ogg", "b.v2.ogg", "c.aac"]
    assert len(walk(tmp_path)) == 7


def test_levels_are_patterns_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "S1/a_1.wav", "S1/b.wav", "S1/x/a_2.wav", "T/a_3.wav", "a_0.wav", "s/a_4.wav")
    assert walk(tmp_path, "S*", "a_*") == ["S1/a_1.wav"]
    assert walk(tmp_path, "*") == ["a_0.wav"]


def test_a_name_of_another_encoding_is_a_bad_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "x.wav", make_speech(0), 16000)
    (tmp_path / "x.wav").rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")))
    assert list(read_infos(AudioFolder(tmp_path).audio([tmp_path]), 1)) == []
    assert r"/caf\udce9.wav: its name is not UTF-8" in caplog.text
