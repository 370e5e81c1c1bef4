"""Stage 0 for Kaldi data directories: nothing changes on the way; what Kaldi refuses is told."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lhotse.kaldi import load_kaldi_data_dir

import prepare_kaldi
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.data_dir import read_utterances, write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.speech import EXPERIMENT, make_utterances, snapshot, write_speech

ROOT = Path(__file__).parents[2]
TABLES = ("wav.scp", "utt2spk", "spk2utt", "utt2dur", "reco2dur", "spk2gender", "text")


def make_set(folder: Path, prefix: str, segments: bool = False) -> list[Utterance]:
    """Four speakers of two recordings each; or of four segments of one recording, a command."""
    utterances = make_utterances(folder / "audio", prefix, 4, 2)
    if segments:
        utterances = [
            replace(
                item,
                id=f"{item.speaker}-s{i}",
                entry=f"cat {folder}/audio/{item.speaker}/0.wav |",
                segment=Segment(f"rec-{item.speaker}", 0.05 * i, 0.05 * i + 0.1),
            )
            for item in utterances[::2]
            for i in range(4)
        ]
    utterances = [replace(item, text=f"{item.id} said é") for item in utterances]
    write_data_dir(folder, utterances)
    return utterances


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_kaldi.py", *map(str, [output, *words])])
    prepare_kaldi.main()


def two_sets(tmp_path: Path, segments: bool = False) -> list[str | Path]:
    for part in ("train", "test"):
        make_set(tmp_path / "kaldi" / part, part, segments)
    return ["--train-dir", tmp_path / "kaldi/train", "--test-dir", tmp_path / "kaldi/test"]


@pytest.mark.parametrize("segments", [False, True])
def test_tables_come_back_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segments: bool
) -> None:
    options = two_sets(tmp_path, segments)
    prepare(monkeypatch, tmp_path / "a", *options)
    prepare(monkeypatch, tmp_path / "b", "--corpus-dir", tmp_path / "kaldi")
    prepare(monkeypatch, tmp_path / "c", "--corpus-dir", tmp_path / "a")  # what stage 0 itself made
    for part in ("train", "test"):
        names = {*TABLES, "segments"} if segments else {*TABLES}
        source = {name: read_table(tmp_path / "kaldi" / part / name) for name in names}
        assert (tmp_path / "a" / part / "segments").exists() == segments
        for output in "abc":
            made = {name: read_table(tmp_path / output / part / name) for name in names}
            assert made == source
        assert kaldi_checks.validate(tmp_path / "a" / part) == "valid"


@pytest.mark.parametrize("segments", [False, True])
def test_lhotse_s_import_gives_the_same_utterances_and_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segments: bool
) -> None:
    prepare(monkeypatch, tmp_path / "a", *two_sets(tmp_path, segments))
    folder = tmp_path / "a/test"
    expected = list(read_utterances(folder, 1))
    recordings, supervisions, features = load_kaldi_data_dir(folder, 16000)
    assert features is None
    found = {item.id: item for item in supervisions}
    assert found.keys() == {item.id for item in expected}
    for item in expected:
        other = found[item.id]
        assert other.recording_id == item.recording
        assert (other.speaker, other.gender, other.text) == (item.speaker, item.sex, item.text)
        assert other.duration == pytest.approx(item.duration, abs=1e-6)
        assert other.start == (item.segment.start if item.segment else 0)
        assert recordings[item.recording].duration == pytest.approx(item.info.duration, abs=1e-6)

    compute_data_dir(folder, EXPERIMENT, 2)
    frame_shift = float((folder / "frame_shift").read_text())
    _, supervisions, features = load_kaldi_data_dir(folder, 16000, frame_shift)
    num_frames = read_table(folder / "utt2num_frames")
    assert {item.storage_key for item in features} == num_frames.keys() == {i.id for i in expected}
    for item in features:
        assert item.recording_id == supervisions[item.storage_key].recording_id
        assert item.start == supervisions[item.storage_key].start
        assert item.load().shape == (int(num_frames[item.storage_key]), 64)


def test_own_trials_and_models_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = two_sets(tmp_path)
    test = tmp_path / "kaldi/test"
    (test / "trials").write_text("test0-0 test0-1 target\ntest0-0 test1-1 nontarget\n")
    (test / "trials_models").write_text("1 both test0-1\n0 both test1-1\n")
    (test / "enroll_spk2utt").write_text("both test0-0 test0-1\n")
    prepare(monkeypatch, tmp_path / "a", *options)
    made = tmp_path / "a/test"
    assert {path.name for path in made.glob("trials*")} == {"trials", "trials_models"}
    assert read_trials(made / "trials") == read_trials(test / "trials")
    assert read_trials(made / "trials_models") == [
        ("both", "test0-1", True),
        ("both", "test1-1", False),
    ]
    assert read_table(made / "enroll_spk2utt") == {"both": "test0-0 test0-1"}


def test_one_directory_is_split_by_speaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_set(tmp_path / "kaldi", "spk", segments=True)
    (tmp_path / "kaldi/trials").write_text("spk0-s0 spk0-s1 target\n")
    sets = []
    for output, seed in (("a", "0"), ("b", "0"), ("c", "1"), ("d", "2")):
        prepare(
            monkeypatch, tmp_path / output, "--corpus-dir", tmp_path / "kaldi", "--data-seed", seed
        )
        train, test = (
            set(read_table(tmp_path / output / part / "utt2spk").values())
            for part in ("train", "test")
        )
        assert train | test == {f"spk{i}" for i in range(4)}
        assert not train & test
        sets.append(test)
        assert sorted(path.name for path in (tmp_path / output).iterdir()) == [
            "manifests", "stage_0_options", "test", "train",
        ]  # fmt: skip
    assert sets[0] == sets[1]
    assert any(test != sets[0] for test in sets)
    assert "trials are not used" in caplog.text


@pytest.mark.parametrize("place", ["cwd", "ancestor"])
def test_relative_paths_start_in_the_current_directory_or_around_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    recipe = tmp_path / "egs/my corpus/v1"
    forms = {"0-0": "{}", "2-0": "cat {} |", "3-0": "cat < {} | cat |"}
    for part in ("train", "test"):
        folder = recipe / "data" / part
        make_set(folder, part)
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
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", recipe / "data")
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
    options = two_sets(tmp_path)
    wav_scp = tmp_path / "kaldi/test/wav.scp"
    wav_scp.write_text(wav_scp.read_text().replace(f"{tmp_path}/kaldi/", "gone/"))
    with pytest.raises(
        ValueError, match=r"8 of 8 utterances.*gone/test/audio/test0/0\.wav: no suc"
    ):
        prepare(monkeypatch, tmp_path / "a", *options)
    assert not (tmp_path / "a").exists()


def test_segments_past_the_end_are_cut_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in extract-segments: half a second is the limit."""
    options = two_sets(tmp_path, segments=True)
    table = tmp_path / "kaldi/test/segments"
    length = float(read_table(tmp_path / "kaldi/test/reco2dur")["rec-test0"])
    lines = table.read_text().splitlines()
    lines[0] = f"test0-s0 rec-test0 0.1 {length + 0.4:.2f}"
    lines[1] = f"test0-s1 rec-test0 0.1 {length + 0.6:.2f}"
    table.write_text("\n".join(lines) + "\n")
    with caplog.at_level(logging.INFO):
        prepare(monkeypatch, tmp_path / "a", *options)
    made = read_table(tmp_path / "a/test/segments")
    assert made["test0-s0"] == f"rec-test0 0.100000 {length:.6f}"
    assert "test0-s1" not in made
    assert len(made) == 15
    assert "1 segments end after their recordings" in caplog.text
    assert "test0-s1: no such segment: 0.1 to" in caplog.text


def shuffle(path: Path) -> None:
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))


def change(old: str, new: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return write


@pytest.mark.parametrize(
    ("name", "spoil", "told"),
    [
        ("wav.scp", shuffle, "wav.scp, line 2: "),
        ("utt2spk", shuffle, "utt2spk, line 2: .* comes after .*: sort it with LC_ALL=C"),
        (
            "utt2spk",
            change("test0-s1 test0", "test0-s1 zoe"),
            r"utt2spk, line \d: not sorted by speaker",
        ),
        ("utt2spk", change("test0-s1 test0\n", ""), "'test0"),
        (
            "spk2utt",
            change(" test0-s1", ""),
            "spk2utt, line 1: does not match utt2spk, first at 'test0'",
        ),
        (
            "spk2gender",
            change("test1 f", "test1 female"),
            "spk2gender, line 2: 'test1' has 'female', not m or f",
        ),
        ("spk2gender", change("test1 f\n", ""), "first 'test1', which spk2gender lacks: remove"),
        (
            "segments",
            change("test1-s1 rec-test1 ", "test1-s1 rec "),
            r"wav.scp, line \d: its keys .*'rec'",
        ),
        ("segments", change("test1-s1 ", "test1-s9 "), r"segments, line \d: .*test1-s[19]"),
        (
            "segments",
            change(" 0.050000 0.150000", " 0.2 0.1"),
            r"segments, line \d: .*'rec-test0 0.2 0.1'",
        ),
        (
            "wav.scp",
            change("rec-test1 ", "rec-test1x "),
            r"wav.scp, line \d: its keys .*'rec-test1'",
        ),
        ("wav.scp", Path.unlink, "no wav.scp in it; expected a Kaldi data directory with"),
        ("spk2utt", Path.unlink, "no spk2utt in it; expected a Kaldi data directory with"),
    ],
)
def test_what_kaldi_refuses_is_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    spoil: Callable[[Path], None],
    told: str,
) -> None:
    options = two_sets(tmp_path, segments=True)
    folder = tmp_path / "kaldi/test"
    assert kaldi_checks.validate(folder) == "valid"
    spoil(folder / name)
    assert kaldi_checks.validate(folder) != "valid"
    with pytest.raises(ValueError, match=told) as error:
        prepare(monkeypatch, tmp_path / "a", *options)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)
    assert not (tmp_path / "a").exists()


def test_bad_audio_is_left_out_or_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    options = two_sets(tmp_path)
    (tmp_path / "kaldi/train/audio/train0/0.wav").write_bytes(b"")
    wav_scp = tmp_path / "kaldi/test/wav.scp"
    good = read_table(wav_scp)
    change(good["test1-0"], "sph3pipe -f wav a.sph |")(wav_scp)
    prepare(monkeypatch, tmp_path / "a", *options)
    assert "train0-0: empty file" in caplog.text
    assert "test1-0: sph3pipe: command not found: install it" in caplog.text
    assert len(read_table(tmp_path / "a/test/wav.scp")) == 7
    before = snapshot(tmp_path / "a")
    change(good["test2-0"], "sph3pipe -f wav a.sph |")(wav_scp)
    with pytest.raises(
        ValueError, match=r"2 of 8 utterances are bad, .* mend what .*test/wav\.scp"
    ):
        prepare(monkeypatch, tmp_path / "a", *options)
    assert snapshot(tmp_path / "a") == before


@pytest.mark.parametrize(
    "words", [[], ["--train-dir", "a"], ["--corpus-dir", "a", "--test-dir", "b"]]
)
def test_half_a_choice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    with pytest.raises(ValueError, match="needs --corpus-dir, or both --train-dir and --test-dir"):
        prepare(monkeypatch, tmp_path / "d", *words)


def test_the_script_runs_by_itself(tmp_path: Path) -> None:
    options = two_sets(tmp_path)
    done = subprocess.run(
        [sys.executable, ROOT / "local/prepare_kaldi.py", tmp_path / "a", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "pyscripts")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "a/test/trials").is_file()
    assert os.access(ROOT / "local/prepare_kaldi.py", os.X_OK)


def test_a_stray_file_elsewhere_does_not_stand_for_one_of_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first path is found around the data directory; others are not looked for elsewhere."""
    names = ["audio/a/0.wav", "audio/a/1.wav"]
    write_speech(tmp_path / "corpus", names[:1])
    write_speech(tmp_path / "elsewhere", names[1:])
    monkeypatch.chdir(tmp_path / "elsewhere")
    locate = prepare_kaldi.make_locator(tmp_path / "corpus" / "data" / "train")
    assert locate(names[0]) == str(tmp_path / "corpus" / names[0])
    with pytest.raises(ValueError, match=r"audio/a/1\.wav: no such file below .*corpus: make"):
        locate(names[1])
