"""Folders of speakers as they lie about on disks."""

import shutil
from pathlib import Path

from support.real_inputs.cases import ALL, UTTERANCES, Words, case, of_folder, speakers
from support.speech import make_speech, write_audio, write_speech


@case("folder", ALL)
def a_link_to_its_own_folder(folder: Path) -> Words:
    (speakers(folder) / "s0/again").symlink_to(folder / "speech/s0")
    (folder / "speech/s1/up").symlink_to("..")
    return of_folder(folder)


@case("folder", ALL, r"gone\.wav")
def a_dangling_link(folder: Path) -> Words:
    (speakers(folder) / "s0/gone.wav").symlink_to(folder / "nowhere.wav")
    return of_folder(folder)


@case("folder", ALL)
def twins_that_a_mac_makes(folder: Path) -> Words:
    for path in list(speakers(folder).rglob("*.wav")):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    (folder / "speech/.DS_Store").write_bytes(bytes(99))
    return of_folder(folder)


@case("folder", ALL)
def a_speaker_on_another_disk(folder: Path) -> Words:
    shutil.move(speakers(folder) / "s0", folder / "disk")
    (folder / "speech/s0").symlink_to(folder / "disk")
    return of_folder(folder)


@case("folder", ALL)
def suffixes_in_capitals(folder: Path) -> Words:
    for path in list(speakers(folder).rglob("*.wav")):
        path.rename(path.with_suffix(".WAV"))
    return of_folder(folder)


@case("folder", ALL, r"\.wma")
def a_form_that_is_not_read(folder: Path) -> Words:
    (speakers(folder) / "s0/x.wma").write_bytes(bytes(99))
    return of_folder(folder)


@case("folder", ALL, r"s9")
def a_speaker_of_whom_nothing_is_read(folder: Path) -> Words:
    (speakers(folder) / "s9").mkdir()
    (folder / "speech/s9/x.wma").write_bytes(bytes(99))
    return of_folder(folder)


@case("folder", ALL)
def texts_and_pictures_beside_audio(folder: Path) -> Words:
    speech = speakers(folder)
    for name in ("s0/notes.txt", "s0/0.TextGrid", "s0/photo.jpg", "Thumbs.db", "README.md"):
        (speech / name).write_text("x")
    return of_folder(folder)


@case("folder", ALL + 4)
def names_in_devanagari(folder: Path) -> Words:
    speakers(folder)
    names = [f"{name}/{j}.wav" for name in ("कि", "की") for j in (0, 1)]
    write_speech(folder / "speech", names, seed=90)
    return of_folder(folder)


@case("folder", ALL + 4)
def names_that_differ_in_what_ids_cannot_hold(folder: Path) -> Words:
    speakers(folder)
    names = [f"{name}/{j}.wav" for name in ("anna (1)", "anna [1]") for j in (0, 1)]
    write_speech(folder / "speech", names, seed=90)
    return of_folder(folder)


@case("folder", ALL + 4)
def spaces_and_quotes_in_names(folder: Path) -> Words:
    speakers(folder)
    names = ["O'Brien $(x)/a b.wav", "O'Brien $(x)/`c`.flac", "y;z/é.wav", "y;z/|.wav"]
    write_speech(folder / "speech", names, seed=90)
    return of_folder(folder)


@case("folder", None, r"0\.wav.* 's\d-0'.* 's\d-0'")
def one_recording_under_two_speakers(folder: Path) -> Words:
    speech = speakers(folder)
    for path in [speech / f"s{i}/0.wav" for i in range(1, 5)]:
        path.unlink()
        path.symlink_to(folder / "speech/s0/0.wav")
    return of_folder(folder)


@case("folder", ALL + 1)
def a_speaker_of_one_utterance(folder: Path) -> Words:
    write_audio(speakers(folder) / "lone/1.wav", make_speech(7))
    return of_folder(folder)


@case("folder", ALL)
def sexes_of_a_spreadsheet(folder: Path) -> Words:
    lines = [f"s{i}\t{'mf'[i % 2]}" for i in range(5)]
    (speakers(folder) / "sex.tsv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    return of_folder(folder)


@case("folder", None, r"speech.*: no audio found|: no such folder")
def a_folder_without_speakers(folder: Path) -> Words:
    write_speech(folder / "speech", [f"{i}.wav" for i in range(UTTERANCES)])
    return of_folder(folder)


@case("voxceleb", 7)
def voxceleb_unpacked_on_a_mac(folder: Path) -> Words:
    """Two speakers of whom three recordings test, and one of four who trains."""
    names = [f"id1000{i}/video{v}/0000{j}.WAV" for i in range(3) for v in (0, 1) for j in (1, 2)]
    for path in write_speech(folder / "wav", names):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    pairs = ["1 id10000/video0/00001.wav id10000/video1/00001.wav"]
    pairs += ["0 id10000/video0/00001.wav id10001/video1/00002.wav"]
    (folder / "trials.txt").write_bytes(b"\xef\xbb\xbf" + "\n".join(pairs).encode() + b"\n")
    return ["--corpus-dir", folder / "wav", "--test-list", folder / "trials.txt"]
