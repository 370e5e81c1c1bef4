"""Relative paths in wav.scp: they start where the first one is found."""

from pathlib import Path

import pytest

import prepare_kaldi
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from relative_paths import make_locator
from support.preparation import run_main
from support.speech import EXPERIMENT, make_utterances, write_speech


@pytest.mark.parametrize("place", ["cwd", "ancestor"])
def test_relative_paths_start_in_the_current_directory_or_around_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    recipe = tmp_path / "egs/my corpus/v1"
    forms = {"0-0": "{}", "2-0": "cat {} |", "3-0": "cat < {} | cat |"}
    for part in ("train", "test"):
        folder = recipe / "data" / part
        write_data_dir(folder, make_utterances(folder / "audio", part, 4, 2))
        lines = []
        for i in range(8):
            key = f"{i // 2}-{i % 2}"
            form = forms.get(key, "flac -c -d -s {} |" if i % 2 else "{}")
            suffix = "flac" if i % 2 else "wav"
            name = f"data/{part}/audio/{part}{key.replace('-', '/')}.{suffix}"
            lines.append(f"{part}{key} {form.format(name)}\n")
        (folder / "wav.scp").write_text("".join(lines))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(recipe if place == "cwd" else elsewhere)
    run_main(monkeypatch, prepare_kaldi, tmp_path / "a", "--corpus-dir", recipe / "data")
    monkeypatch.chdir(elsewhere)
    entries_made = read_table(tmp_path / "a/test/wav.scp")
    audio = recipe / "data/test/audio"
    assert entries_made["test0-0"] == f"{audio}/test0/0.wav"
    assert entries_made["test0-1"] == f"flac -c -d -s '{audio}/test0/1.flac' |"
    assert entries_made["test2-0"] == f"cd '{recipe}' && cat data/test/audio/test2/0.wav |"
    compute_data_dir(tmp_path / "a/test", EXPERIMENT, 2)
    assert len(read_table(tmp_path / "a/test/feats.scp")) == 8


def test_paths_that_lead_nowhere_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("train", "test"):
        folder = tmp_path / "kaldi" / part
        write_data_dir(folder, make_utterances(folder / "audio", part, 4, 2))
    wav_scp = tmp_path / "kaldi/test/wav.scp"
    wav_scp.write_text(wav_scp.read_text().replace(f"{tmp_path}/kaldi/", "gone/"))
    with pytest.raises(ValueError, match=r"^8 of 8 utterances .*gone/test/audio/test0/0\.wav: "):
        run_main(monkeypatch, prepare_kaldi, tmp_path / "a", "--corpus-dir", tmp_path / "kaldi")
    assert not (tmp_path / "a").exists()


def test_a_stray_file_elsewhere_does_not_stand_for_one_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first path is found around the data directory; others are not looked for elsewhere."""
    names = ["audio/a/0.wav", "audio/a/1.wav"]
    write_speech(tmp_path / "corpus", names[:1])
    write_speech(tmp_path / "elsewhere", names[1:])
    monkeypatch.chdir(tmp_path / "elsewhere")
    locate = make_locator(tmp_path / "corpus" / "data" / "train")
    assert locate(names[0]) == str(tmp_path / "corpus" / names[0])
    with pytest.raises(ValueError, match=rf"^audio/a/1\.wav: .*{tmp_path}/corpus\b"):
        locate(names[1])
