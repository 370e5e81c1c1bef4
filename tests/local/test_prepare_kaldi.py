"""Stage 0 for Kaldi data directories: nothing changes on the way; what Kaldi refuses is refused."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lhotse.kaldi import load_kaldi_data_dir

import prepare_kaldi
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.data_dir import read_utterances, write_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.preparation import run_main
from support.speech import EXPERIMENT, make_utterances, snapshot

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
    run_main(monkeypatch, prepare_kaldi, output, *words)


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
    assert f"{tmp_path}/kaldi: " in caplog.text


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
    assert "1 segments " in caplog.text
    assert "test0-s1: no such segment: 0.1 to " in caplog.text


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
        ("utt2spk", shuffle, "utt2spk, line 2: .*LC_ALL=C sort"),
        ("utt2spk", change("test0-s1 test0", "test0-s1 zoe"), r"utt2spk, line \d: .*'test0'"),
        ("utt2spk", change("test0-s1 test0\n", ""), "'test0"),
        ("spk2utt", change(" test0-s1", ""), "spk2utt, line 1: .*utt2spk, .*'test0'"),
        ("spk2gender", change("test1 f", "test1 female"), "line 2: 'test1' .*'female', .*m or f"),
        ("spk2gender", change("test1 f\n", ""), "'test1', .*spk2gender"),
        (
            "segments",
            change("test1-s1 rec-test1 ", "test1-s1 rec "),
            r"wav.scp, line \d: .*'rec'",
        ),
        ("segments", change("test1-s1 ", "test1-s9 "), r"segments, line \d: .*test1-s[19]"),
        (
            "segments",
            change(" 0.050000 0.150000", " 0.2 0.1"),
            r"segments, line \d: .*'rec-test0 0.2 0.1'",
        ),
        ("wav.scp", change("rec-test1 ", "rec-test1x "), r"wav.scp, line \d: .*'rec-test1'"),
        ("wav.scp", Path.unlink, r"\bwav.scp\b"),
        ("spk2utt", Path.unlink, r"\bspk2utt\b"),
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


@pytest.mark.parametrize("segments", [False, True])
def test_tables_that_fix_data_dir_leaves_at_odds_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segments: bool
) -> None:
    options = two_sets(tmp_path, segments)
    prepare(monkeypatch, tmp_path / "a", *options)
    folder = tmp_path / "kaldi/test"
    keys = list(read_table(folder / "utt2spk"))
    more = dict.fromkeys([*keys, "zoe-0"], "1")
    for name in ("utt_cmvn.scp", "utt2warp", "spk2warp", "reco2file_and_channel"):
        write_table(folder / name, more)
    for name in ("vad.scp", "utt2uniq", "reco2dur"):
        write_table(folder / name, dict.fromkeys(keys[1:], "1"))
    prepare(monkeypatch, tmp_path / "b", *options)
    assert snapshot(tmp_path / "b/test") == snapshot(tmp_path / "a/test")
    # Those by which fix_data_dir.sh drops utterances are checked.
    write_table(folder / "utt2dur", more)
    with pytest.raises(ValueError, match=r"/test/utt2dur, line \d+: .*'zoe-0'.*fix_data_dir"):
        prepare(monkeypatch, tmp_path / "c", *options)


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
    assert "test1-0: sph3pipe: " in caplog.text
    assert len(read_table(tmp_path / "a/test/wav.scp")) == 7
    before = snapshot(tmp_path / "a")
    change(good["test2-0"], "sph3pipe -f wav a.sph |")(wav_scp)
    with pytest.raises(ValueError, match=r"^2 of 8 utterances .*/test/wav\.scp"):
        prepare(monkeypatch, tmp_path / "a", *options)
    assert snapshot(tmp_path / "a") == before


def test_a_test_directory_stands_alone_with_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = two_sets(tmp_path)
    (tmp_path / "kaldi/test/trials").write_text(
        "test0-0 test0-1 target\ntest0-0 test1-1 nontarget\n"
    )
    prepare(monkeypatch, tmp_path / "a", *both)
    prepare(monkeypatch, tmp_path / "b", *both[2:])
    assert snapshot(tmp_path / "b/test") == snapshot(tmp_path / "a/test")
    assert len(read_trials(tmp_path / "b/test/trials")) == 2
    assert not (tmp_path / "b/train").exists()


@pytest.mark.parametrize(
    "words", [[], ["--train-dir", "a"], ["--corpus-dir", "a", "--test-dir", "b"]]
)
def test_half_a_choice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"--corpus-dir.*--train-dir and --test-dir"):
        prepare(monkeypatch, tmp_path / "d", *words)
