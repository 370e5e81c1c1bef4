"""Commands in place of audio: told, or refused before any of them runs."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest
from lhotse import AudioSource

import prepare_kaldi
import prepare_lhotse
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from support.lhotse_parts import make_part, write_part
from support.preparation import run_main
from support.speech import make_utterances


@pytest.fixture
def kaldi(tmp_path: Path) -> Path:
    """Two data directories; in the first two recordings are commands that leave a file."""
    for part in ("train", "test"):
        items = make_utterances(tmp_path / "audio", part, 4, 2)
        if part == "train":
            command = f"touch {tmp_path}/ran; cat {items[0].entry} |"
            items[0], items[2] = (replace(items[i], entry=command + "cat |") for i in (0, 2))
            items[2] = replace(items[2], entry=items[2].entry.replace("|cat", "| cat"))
        write_data_dir(tmp_path / "kaldi" / part, items)
    return tmp_path / "kaldi"


def test_kaldi_s_commands_are_told(
    kaldi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run_main(monkeypatch, prepare_kaldi, tmp_path / "a", "--corpus-dir", kaldi)
    [line] = [line for line in caplog.messages if " are commands" in line]
    first = read_table(kaldi / "train/wav.scp")["train0-0"]
    assert line.startswith(f"{kaldi}/train/wav.scp: 2 recordings are commands")
    assert line.endswith(f"first: {first}")  # FLAC files, also in wav.scp as commands, are none
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("layout", ["--corpus-dir", "--train-dir", "split"])
def test_kaldi_s_commands_are_refused_before_they_run(
    kaldi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    folders: list[str | Path] = ["--corpus-dir", kaldi]
    if layout == "--train-dir":
        folders = ["--train-dir", kaldi / "train", "--test-dir", kaldi / "test"]
    if layout == "split":
        folders = ["--corpus-dir", kaldi / "train"]
    told = rf"^{kaldi}/train/wav.scp: 'train0-0': a command, .*touch.*: name an audio file"
    with pytest.raises(ValueError, match=told):
        run_main(monkeypatch, prepare_kaldi, tmp_path / "a", *folders, "--commands", "refuse")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "a").exists()


def test_lhotse_s_commands_are_told_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for part in ("train", "test"):
        recordings, supervisions = make_part(part, tmp_path / "audio")
        if part == "test":
            for i in (1, 3):
                path = recordings[i].sources[0].source
                command = f"touch {tmp_path}/ran; cat {path}"
                recordings[i].sources = [AudioSource("command", [0], command)]
            ours = f"flac -c -d -s {recordings[0].sources[0].source}"
            recordings[0].sources = [AudioSource("command", [0], ours)]
        write_part(tmp_path / "lhotse", part, recordings, supervisions)
    words: list[str | Path] = [tmp_path / "a", "--corpus-dir", tmp_path / "lhotse", "--nj", "1"]
    told = r"lhotse: recording 'test-0-1': a command, .*touch"
    with pytest.raises(ValueError, match=told):
        run_main(monkeypatch, prepare_lhotse, *words, "--commands", "refuse")
    assert not (tmp_path / "a").exists()
    run_main(monkeypatch, prepare_lhotse, *words)
    [line] = [line for line in caplog.messages if " are commands" in line]
    assert re.search(r"lhotse: 2 recordings are commands, .* first: touch \S+/ran; cat", line)
    assert not (tmp_path / "ran").exists()  # stage 0 takes the headers from the manifest


@pytest.mark.parametrize("name", ["feats.scp", "vad.scp", "utt_cmvn.scp", "xvector.scp"])
@pytest.mark.parametrize("entry", ["touch ran |", "| touch ran", "cat x.ark | touch ran |[0:3]"])
def test_no_other_table_runs_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, entry: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(f"a {entry}\n")
    with pytest.raises(ValueError, match=r"touch ran|: a command"):
        ArchiveTable(tmp_path / name).rows("a")
    assert [path.name for path in tmp_path.iterdir()] == [name]
