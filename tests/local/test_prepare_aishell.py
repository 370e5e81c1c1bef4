"""Stage 0 for AISHELL-1, on tiny trees in its layout."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from lhotse import SupervisionSet

import prepare_aishell
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.preparation import fail_on_a_missing_folder
from support.speech import make_speech, write_audio

PARTS = {"train": ["S0002", "S0003"], "dev": ["S0724"], "test": ["S0764", "S0765"]}
SEXES = {"S0002": "f", "S0003": "m", "S0724": "m", "S0764": "f", "S0765": "m"}


def name_of(speaker: str, i: int) -> str:
    return f"BAC009{speaker}W{122 + i:04}"


@pytest.fixture
def corpus_dir(tmp_path: Path) -> Path:
    """Two utterances, of 0.2 and 0.25 s, of each speaker; all but one have a transcript."""
    folder = tmp_path / "my aishell"
    lines = []
    for part, speakers in PARTS.items():
        for speaker in speakers:
            for i in (0, 1):
                name = name_of(speaker, i)
                path = folder / f"data_aishell/wav/{part}/{speaker}/{name}.wav"
                write_audio(path, make_speech(i, 0.2 + 0.05 * i))
                lines.append(f"{name} 而 对 楼市 {speaker}\n")
    (folder / "data_aishell/transcript").mkdir()
    (folder / "data_aishell/transcript/aishell_transcript_v0.8.txt").write_text(
        "".join(lines[:1] + lines[2:]), encoding="utf-8"
    )
    (folder / "resource_aishell").mkdir()
    (folder / "resource_aishell/speaker.info").write_text(
        "".join(f"{speaker[1:]} {sex.upper()}\n" for speaker, sex in SEXES.items()) + "0999 M\n"
    )
    return folder


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_aishell.py", *map(str, [output, *words])])
    prepare_aishell.main()


def test_train_trains_and_test_tests(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    for part in ("train", "test"):
        data_dir = tmp_path / "d" / part
        assert kaldi_checks.validate(data_dir) == "valid"
        utt2spk = read_table(data_dir / "utt2spk")
        assert utt2spk == {
            f"{speaker}-{name_of(speaker, i)}": speaker for speaker in PARTS[part] for i in (0, 1)
        }
        assert read_table(data_dir / "spk2gender") == {key: SEXES[key] for key in PARTS[part]}
        durations = read_table(data_dir / "utt2dur")
        for key, entry in read_table(data_dir / "wav.scp").items():
            speaker, name = key.split("-")
            assert entry == f"{corpus_dir}/data_aishell/wav/{part}/{speaker}/{name}.wav"
            assert float(durations[key]) == pytest.approx(0.25 if name.endswith("3") else 0.2)
        items = SupervisionSet.from_file(manifest_path(data_dir, "supervisions"))
        assert {item.id: item.text for item in items} == {
            key: None if key == "S0002-BAC009S0002W0123" else f"而 对 楼市 {speaker}"
            for key, speaker in utt2spk.items()
        }
    trials = read_trials(tmp_path / "d/test/trials")
    assert (len(trials), sum(trial.target for trial in trials)) == (6, 2)


def test_dev_tests_where_named_and_the_inner_folder_serves_too(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = corpus_dir / "data_aishell"
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, "--test-parts", "test", "dev")
    speakers = [*PARTS["dev"], *PARTS["test"]]
    assert read_table(tmp_path / "d/test/spk2gender") == {key: SEXES[key] for key in speakers}
    assert set(read_table(tmp_path / "d/train/spk2utt")) == set(PARTS["train"])


def test_without_sexes_and_texts_none_are_claimed(
    corpus_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (corpus_dir / "resource_aishell/speaker.info").unlink()
    (corpus_dir / "data_aishell/transcript/aishell_transcript_v0.8.txt").unlink()
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert not (tmp_path / "d/train/spk2gender").exists()
    assert len(read_table(tmp_path / "d/train/utt2spk")) == 4
    assert "/speaker.info " in caplog.text
    assert "/aishell_transcript_v0.8.txt " in caplog.text


def test_a_damaged_speaker_info_is_named_with_its_line(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus_dir / "resource_aishell/speaker.info").write_text("0002 F\n\n0003\n")
    with pytest.raises(ValueError, match=r"/speaker\.info, line 3: .*'0003'$"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)


def test_packed_speakers_are_refused_with_the_command_that_unpacks_them(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archives hold train/<speaker>/*.wav and lie in wav/; some leave them there."""
    wav = corpus_dir / "data_aishell/wav"
    before = sorted(wav.rglob("*.wav"))
    for speaker in ("S0002", "S0003"):
        with tarfile.open(wav / f"{speaker}.tar.gz", "w:gz") as archive:
            archive.add(wav / "train" / speaker, f"train/{speaker}")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    for path in (wav / "train/S0003").iterdir():
        path.unlink()
    (wav / "train/S0003").rmdir()
    with pytest.raises(ValueError, match=rf"^{wav}: 1 .* S0003\.tar\.gz") as caught:
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    subprocess.run(str(caught.value).split("`")[1], shell=True, check=True)
    assert sorted(wav.rglob("*.wav")) == before
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)


def test_another_layout_is_refused_with_the_one_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half/data_aishell/wav/train").mkdir(parents=True)
    for place in ("empty/wav", "half/data_aishell/wav/train"):
        told = rf"^{tmp_path}/{place}: .*--corpus-dir .*S0002/BAC009S0002W0122\.wav"
        with pytest.raises(ValueError, match=told):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / place.split("/")[0])
    assert not (tmp_path / "d").exists()


def test_a_missing_folder_is_one_line_and_an_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fail_on_a_missing_folder(monkeypatch, capsys, prepare_aishell, tmp_path)
    assert error.startswith(f"prepare_aishell.py: error: {tmp_path}/x/wav: ")
