"""Stage 0 for CN-Celeb, on tiny trees in its layout."""

import sys
from pathlib import Path

import pytest

import prepare_cnceleb
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import file_of_entry
from deep_speaker.trials.lists import Trial, read_trials
from support import kaldi_checks
from support.preparation import fail_on_a_missing_folder
from support.speech import write_speech

TRAIN = ["id00000/singing-01-001", "id00000/vlog-01-002", "id00001/interview-01-001"]
# The evaluation's speakers lie in data/ too, where nothing of them may be taken.
EVALUATION = ["id00800/singing-01-001", "id00800/speech-02-003", "id00801/play-01-001"]
ENROLMENTS = ["id00800-enroll", "id00801-enroll"]
TESTS = ["id00800-singing-01-001", "id00801-play-01-001"]
TRIALS = """id00800-enroll test/id00800-singing-01-001.wav 1
id00800-enroll test/id00801-play-01-001.wav 0
id00801-enroll test/id00800-singing-01-001.wav 0
id00801-enroll test/id00801-play-01-001.wav 1
"""


def write_cnceleb(folder: Path, suffix: str = "flac") -> Path:
    write_speech(folder / "data", [f"{name}.{suffix}" for name in TRAIN + EVALUATION])
    write_speech(folder / "eval/enroll", [f"{name}.{suffix}" for name in ENROLMENTS], 10)
    write_speech(folder / "eval/test", [f"{name}.{suffix}" for name in TESTS], 20)
    (folder / "dev").mkdir()
    (folder / "dev/dev.lst").write_text("id00000\nid00001\n")
    (folder / "eval/lists").mkdir()
    (folder / "eval/lists/trials.lst").write_text(TRIALS)
    (folder / "eval/lists/enroll.lst").write_text("id00800-enroll enroll/id00800-enroll.wav\n")
    return folder


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_cnceleb.py", *map(str, [output, *words])])
    prepare_cnceleb.main()


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_dev_trains_and_the_official_trials_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    folder = write_cnceleb(tmp_path / "CN-Celeb_flac", suffix)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    entries = read_table(tmp_path / "d/train/wav.scp")
    assert {key: file_of_entry(entry) for key, entry in entries.items()} == {
        name.replace("/", "-"): folder / f"data/{name}.{suffix}" for name in TRAIN
    }
    assert read_table(tmp_path / "d/train/utt2spk") == {
        name.replace("/", "-"): name.split("/")[0] for name in TRAIN
    }
    assert read_table(tmp_path / "d/test/utt2spk") == {
        name: name.split("-")[0] for name in ENROLMENTS + TESTS
    }
    for name, part in ((ENROLMENTS[1], "enroll"), (TESTS[0], "test")):
        path = file_of_entry(read_table(tmp_path / "d/test/wav.scp")[name])
        assert path == folder / f"eval/{part}/{name}.{suffix}"
    durations = read_table(tmp_path / "d/train/utt2dur")
    assert [float(durations[name.replace("/", "-")]) for name in TRAIN] == [0.25, 0.26, 0.27]
    for part in ("train", "test"):
        assert kaldi_checks.validate(tmp_path / "d" / part) == "valid"
        assert not (tmp_path / "d" / part / "spk2gender").exists()
    assert sorted(read_trials(tmp_path / "d/test/trials")) == [
        Trial(model, test, model[:7] == test[:7]) for model in ENROLMENTS for test in TESTS
    ]


def test_cnceleb_2_trains_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_cnceleb(tmp_path / "CN-Celeb_flac")
    extra = ["id10000/singing-01-001.flac", "id11999/vlog-02-010.flac"]
    write_speech(tmp_path / "CN-Celeb2_flac/data", extra, 30)
    (tmp_path / "CN-Celeb2_flac/spk.lst").write_text("id10000\nid11999\n")
    words: list[str | Path] = ["--extra-train-dir", tmp_path / "CN-Celeb2_flac"]
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, *words)
    keys = read_table(tmp_path / "d/train/utt2spk").keys()
    more = {"id10000-singing-01-001", "id11999-vlog-02-010"}
    assert keys == {name.replace("/", "-") for name in TRAIN} | more
    assert len(read_table(tmp_path / "d/test/utt2spk")) == 4


def test_a_speaker_of_both_sets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_cnceleb(tmp_path / "CN-Celeb_flac")
    (folder / "dev/dev.lst").write_text("id00000\nid00001\nid00801\n")
    with pytest.raises(ValueError, match=r"^1 speakers .*'id00801'"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)


def test_few_listed_speakers_without_a_folder_are_logged_and_many_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_cnceleb(tmp_path / "CN-Celeb_flac")
    (folder / "dev/dev.lst").write_text("id00000\nid00001\nid00799\n")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert "id00799: " in caplog.text
    assert "1 of 3 speakers " in caplog.text
    assert set(read_table(tmp_path / "d/train/spk2utt")) == {"id00000", "id00001"}
    (folder / "dev/dev.lst").write_text("id00000\nid00001\nid00798\nid00799\n")
    with pytest.raises(ValueError, match=r"^2 of 4 speakers .*dev\.lst.* id00798: "):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)


def test_another_layout_is_refused_with_the_one_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    unlisted = write_cnceleb(tmp_path / "unlisted")
    (unlisted / "dev/dev.lst").write_text("")
    silent = write_cnceleb(tmp_path / "silent")
    for path in (silent / "eval/test").iterdir():
        path.unlink()
    whole = write_cnceleb(tmp_path / "whole")
    cases: list[tuple[Path, list[str | Path], str]] = [
        (unlisted, [], "unlisted/dev/dev.lst: .*id00000"),
        (silent, [], r"silent/eval/test: .*id\*\.flac"),
        (whole, ["--extra-train-dir", tmp_path / "empty"], "empty/data: .*CN-Celeb2_flac/data/"),
    ]
    for folder, extra, told in cases:
        with pytest.raises(ValueError, match=f"^{tmp_path}/{told}"):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, *extra)
    for part in ("data", "dev/dev.lst", "eval/enroll", "eval/test", "eval/lists/trials.lst"):
        (whole / part).rename(tmp_path / "moved")
        with pytest.raises(ValueError, match=f"^{whole}: .*{part}.*data, dev/dev.lst"):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", whole)
        (tmp_path / "moved").rename(whole / part)
    assert not (tmp_path / "d").exists()


def test_a_missing_folder_is_one_line_and_an_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fail_on_a_missing_folder(monkeypatch, capsys, prepare_cnceleb, tmp_path)
    assert error.startswith(f"prepare_cnceleb.py: error: {tmp_path}/x: ")
