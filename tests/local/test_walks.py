"""Every corpus in folders as people have them: links, what a Mac leaves, and other suffixes."""

import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import prepare_aishell
import prepare_cnceleb
import prepare_folder
import prepare_librispeech
import prepare_timit
import prepare_vctk
import prepare_voxceleb
from deep_speaker.kaldi.wav_entries import file_of_entry
from support.preparation import read_both, run_main
from support.speech import make_speech, write_audio, write_speech


def write_folder(root: Path) -> Path:
    write_speech(root, [f"{name}/{i}.wav" for name in ("ana", "ben", "cy", "dee") for i in (1, 2)])
    return root / "ana"


def write_aishell(root: Path) -> Path:
    parts = {"train": ["S0002", "S0003"], "test": ["S0764", "S0765"]}
    wav = root / "data_aishell/wav"
    for part, speakers in parts.items():
        names = [f"{name}/BAC009{name}W012{i}.wav" for name in speakers for i in (1, 2)]
        write_speech(wav / part, names)
    return wav / "train/S0002"


def write_vctk(root: Path) -> Path:
    names = ("p225", "p226", "p227", "p228")
    files = [f"{name}/{name}_00{i}_mic1.flac" for name in names for i in (1, 2)]
    write_speech(root / "wav48_silence_trimmed", files)
    return root / "wav48_silence_trimmed/p225"


def write_timit(root: Path) -> Path:
    for part, speakers in {"TRAIN": ("FCJF0", "MDAB0"), "TEST": ("FAKS0", "MWBT0")}.items():
        write_speech(
            root / part / "DR1", [f"{name}/SA{i}.wav" for name in speakers for i in (1, 2)]
        )
    return root / "TRAIN/DR1/FCJF0"


def write_cnceleb(root: Path) -> Path:
    names = [f"id0000{n}/singing-01-00{i}.flac" for n in (0, 1) for i in (1, 2)]
    write_speech(root / "data", names)
    write_speech(root / "eval/enroll", ["id00800-enroll.flac", "id00801-enroll.flac"])
    write_speech(root / "eval/test", ["id00800-play-01-001.flac", "id00801-play-01-001.flac"])
    (root / "dev").mkdir()
    (root / "dev/dev.lst").write_text("id00000\nid00001\n")
    (root / "eval/lists").mkdir()
    (root / "eval/lists/trials.lst").write_text(
        "id00800-enroll id00800-play-01-001.wav 1\nid00800-enroll id00801-play-01-001.wav 0\n"
    )
    return root / "data/id00000"


def write_librispeech(root: Path) -> Path:
    for part, speakers in {"train-clean-5": ("19", "26"), "dev-clean-2": ("61", "84")}.items():
        for name in speakers:
            chapter = root / part / name / "1"
            files = [f"{name}-1-000{i}.flac" for i in (1, 2)]
            write_speech(chapter, files)
            lines = [f"{file.removesuffix('.flac')} WORDS\n" for file in files]
            (chapter / f"{name}-1.trans.txt").write_text("".join(lines))
    return root / "train-clean-5/19"


def write_voxceleb(root: Path) -> Path:
    names = [f"{name}/abcdefghijk/0000{i}.wav" for name in ("id10001", "id10270", "id10271")
             for i in (1, 2)]  # fmt: skip
    write_speech(root / "wav", names)
    (root / "veri_test.txt").write_text(
        "1 id10270/abcdefghijk/00001.wav id10270/abcdefghijk/00002.wav\n"
        "0 id10270/abcdefghijk/00001.wav id10271/abcdefghijk/00001.wav\n"
    )
    return root / "wav/id10001"


CORPORA: dict[ModuleType, Callable[[Path], Path]] = {
    prepare_folder: write_folder,
    prepare_aishell: write_aishell,
    prepare_vctk: write_vctk,
    prepare_timit: write_timit,
    prepare_cnceleb: write_cnceleb,
    prepare_librispeech: write_librispeech,
    prepare_voxceleb: write_voxceleb,
}


def find_files(output: Path) -> dict[str, Path]:
    """The real files of utterances."""
    files = {key: file_of_entry(entry) for key, entry in read_both(output, "wav.scp").items()}
    return {key: path.resolve() for key, path in files.items() if path}


@pytest.mark.parametrize("program", CORPORA, ids=lambda program: program.__name__)
def test_links_and_a_mac_s_files_change_nothing(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """A speaker's folder is a link, to a folder with a link to itself; twins, and upper case."""
    root = tmp_path / "corpus"
    speaker = CORPORA[program](root)
    run_main(monkeypatch, program, tmp_path / "plain", "--corpus-dir", root)
    before = find_files(tmp_path / "plain")
    elsewhere = tmp_path / "disk2" / speaker.name
    elsewhere.parent.mkdir()
    speaker.rename(elsewhere)
    speaker.symlink_to(elsewhere)
    for loop in (elsewhere / "self", speaker.parent / "self", root / "again"):
        loop.symlink_to(loop.parent)
    for path in [*elsewhere.rglob("*.*"), elsewhere]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7 a Mac's")
    first = min(path for path in elsewhere.rglob("[!.]*") if path.suffix in (".wav", ".flac"))
    first.rename(first.with_suffix(first.suffix.upper()))
    run_main(monkeypatch, program, tmp_path / "linked", "--corpus-dir", root)
    after = find_files(tmp_path / "linked")
    assert after.keys() == before.keys()
    moved = [key for key in before if after[key] != before[key]]
    assert len(moved) == 2
    assert [after[key] for key in moved if after[key].suffix.isupper()] == [
        first.with_suffix(first.suffix.upper())
    ]
    assert "files are bad" not in caplog.text


@pytest.mark.parametrize("program", CORPORA, ids=lambda program: program.__name__)
def test_a_link_to_nothing_is_a_bad_file(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    root = tmp_path / "corpus"
    speaker = CORPORA[program](root)
    run_main(monkeypatch, program, tmp_path / "d", "--corpus-dir", root)
    before = find_files(tmp_path / "d")
    first, second = sorted(path for path in speaker.rglob("*") if path.suffix in (".wav", ".flac"))
    second.unlink()
    second.symlink_to(tmp_path / "not mounted" / second.name)
    run_main(monkeypatch, program, tmp_path / "d", "--corpus-dir", root)
    after = find_files(tmp_path / "d")
    assert len(after) == len(before) - 1
    assert after.items() < before.items()
    assert second.stem in caplog.text
    assert "1 of " in caplog.text
    first.unlink()
    first.symlink_to(second)
    with pytest.raises(ValueError, match=r"^2 of \d+ files are bad"):
        run_main(monkeypatch, program, tmp_path / "d", "--corpus-dir", root)


@pytest.mark.parametrize("program", CORPORA, ids=lambda program: program.__name__)
def test_a_speaker_s_folder_that_leads_to_nothing_is_told(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    root = tmp_path / "corpus"
    speaker = CORPORA[program](root)
    (speaker.parent / "id09999").symlink_to(tmp_path / "not mounted")
    run_main(monkeypatch, program, tmp_path / "d", "--corpus-dir", root)
    assert f"{speaker.parent}/id09999: a link to nothing" in caplog.text


@pytest.mark.parametrize("program", CORPORA, ids=lambda program: program.__name__)
def test_other_forms_are_read_and_what_is_not_read_is_told(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """A file as AU; a speaker with files of telephones alone, who is left out."""
    caplog.set_level(logging.WARNING)
    root = tmp_path / "corpus"
    speaker = CORPORA[program](root)
    run_main(monkeypatch, program, tmp_path / "d", "--corpus-dir", root)
    before = find_files(tmp_path / "d")
    first = min(path for path in speaker.rglob("*") if path.suffix in (".wav", ".flac"))
    first.unlink()
    write_audio(first.with_suffix(".au"), make_speech(0))
    name = {prepare_timit: "MABC0", prepare_aishell: "S0009"}.get(program, "id10009")
    silent = speaker.parent / name / first.parent.relative_to(speaker)
    silent.mkdir(parents=True)
    (silent / "a.amr").write_bytes(b"#!AMR\n")
    (silent / "b.AMR").write_bytes(b"#!AMR\n")
    if program is prepare_cnceleb:
        with (root / "dev/dev.lst").open("a") as file:
            file.write(f"{name}\n")
    run_main(monkeypatch, program, tmp_path / "d", "--corpus-dir", root)
    after = find_files(tmp_path / "d")
    assert after.keys() == before.keys()
    assert [path for path in after.values() if path.suffix == ".au"] == [first.with_suffix(".au")]
    reason = "as .amr is not read (convert them to WAV or FLAC)"
    assert f"2 files left out, {reason}: first {silent}/a.amr" in caplog.text
    assert f"no audio that is read, and are left out, first {speaker.parent}/{name}" in caplog.text
