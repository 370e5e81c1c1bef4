"""Ids and names of files that would be commands, options, paths or markup elsewhere."""

import subprocess
from pathlib import Path

import pytest

import prepare_folder
import prepare_kaldi
from deep_speaker.copies.writing import write_copies
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.validation.archives import validate_features
from deep_speaker.validation.data_dirs import validate_data_dir
from support.kaldi_checks import read_all, validate
from support.preparation import run_main
from support.speech import EXPERIMENT, make_speech, write_audio
from support.tiny_data import make_experiment

IDS = [
    "../../x", "/etc/x", "..", ".hidden", "-rf", "--help", "*", "~root", "#x", "$(touch${IFS}ran)",
    "`touch${IFS}ran`", ";touch${IFS}ran;", "|touch${IFS}ran", "a'b", 'a"b', "a\\nb", "%s%n", "{x}",
    "$\\frac{$", "<script>alert(1)</script>", "&lt;", "ark:x", "scp,p:x", "x[0:1]", "x:12",
]  # fmt: skip
FILES = ["$(touch ran)", "a'b", 'a"b', "-i", "a b", "a\tb", "`touch ran`", "a|b", "%d", "*", "ünï"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path


def test_ids_of_a_corpus_do_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("train", "test"):
        items = []
        for i, name in enumerate(f"te-{each}" if part == "test" else each for each in IDS):
            for j in range(2):
                path = write_audio(folder / f"audio/{part}{i}-{j}.flac", make_speech(2 * i + j))
                entry = wav_entry(path, info := read_info(path))
                items.append(Utterance(f"{name}-{j}", name, entry, info, "f", "some words"))
        write_data_dir(folder / "kaldi" / part, sorted(items, key=lambda item: item.id))
    before = {path for path in folder.rglob("*") if "data" not in path.parts}
    run_main(monkeypatch, prepare_kaldi, folder / "data", "--corpus-dir", folder / "kaldi")
    train, copies = folder / "data/train", folder / "data/train_copies"
    assert set(read_table(train / "utt2spk").values()) == set(IDS)
    options = {"kinds": [], "speeds": [1.1]}
    write_copies(train, copies, make_experiment(augmented_copies=options), (None, None), 1)
    for made in (train, copies):
        compute_data_dir(made, EXPERIMENT, 1)
        validate_data_dir(made)
        validate_features(made)
        assert validate(made) == "valid"
        assert {"feats.scp", "vad.scp"} <= set(read_all(made))  # by Kaldi's own code
    assert {path for path in folder.rglob("*") if "data" not in path.parts} == before
    assert not any(path.name == "ran" for path in folder.rglob("*"))


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_names_of_files_do_no_harm(
    folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for i, name in enumerate(FILES):
        for j in range(2):
            write_audio(
                folder / "in" / f"{i}{name}" / f"{name}{j}.{suffix}", make_speech(2 * i + j)
            )
    run_main(monkeypatch, prepare_folder, folder / "data", "--corpus-dir", folder / "in")
    entries = read_table(folder / "data/train/wav.scp") | read_table(folder / "data/test/wav.scp")
    assert len(entries) == 2 * len(FILES)
    if suffix == "flac":  # as Kaldi runs them
        for entry in entries.values():
            printed = subprocess.run(["bash", "-c", entry.rstrip("|")], capture_output=True)
            assert b"unexpected" not in printed.stderr and b"substitution" not in printed.stderr
    compute_data_dir(folder / "data/train", EXPERIMENT, 1)
    assert not any(path.name == "ran" for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["two\nlines", "one\rline", "not utf8 \udcff"])
@pytest.mark.parametrize("form", ["{}-{}/a.wav", "{}/{}.wav"])
def test_names_that_no_table_holds_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    for i in range(8):
        write_audio(folder / f"in/{i}/b.wav", make_speech(i))
        path = folder / "in" / form.format(i, name)
        path.parent.mkdir(exist_ok=True)
        write_audio(folder / "a.wav", make_speech(10 + i)).rename(path)
    with pytest.raises(ValueError, match=r"/in/") as told:
        run_main(monkeypatch, prepare_folder, folder / "data", "--corpus-dir", folder / "in")
    assert repr(name)[1:-1] in str(told.value)
    assert "rename" in str(told.value)
    assert "\n" not in str(told.value)
    assert not (folder / "data").exists()
