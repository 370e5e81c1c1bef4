"""Stage 0 for folders of your own: ids, splits, and what users' folders really look like."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from unicodedata import normalize

import pytest

import prepare_folder
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import file_of_entry
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.preparation import read_both, run_main
from support.speech import RATE, make_speech, snapshot, write_audio, write_speech

NAMES = [
    "anna/mon day/1.wav",
    "anna/mon day/2.flac",
    "anna/tue/1.WAV",
    "ar01/ar01-003.wav",
    "ar01/ar01-010.wav",
    "ar01/ar01-9.flac",
    "Bob-Lee (2)/a+b.wav",
    "Bob-Lee (2)/c-d.v2.wav",
    "Żółw/é.flac",
    "Żółw/ñ.wav",
    "zoe/1.wav",
    "zoe/2.wav",
]
IDS = {
    "anna-mon_day-1": NAMES[0],
    "anna-mon_day-2": NAMES[1],
    "anna-tue-1": NAMES[2],
    "ar01-003": NAMES[3],
    "ar01-010": NAMES[4],
    "ar01-9": NAMES[5],
    "Bob_Lee__2_-a_b": NAMES[6],
    "Bob_Lee__2_-c-d.v2": NAMES[7],
    "Żółw-é": NAMES[8],
    "Żółw-ñ": NAMES[9],
    "zoe-1": NAMES[10],
    "zoe-2": NAMES[11],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five speakers, with what else lies about in such folders."""
    speakers = tmp_path / "my speakers"
    write_speech(speakers, NAMES)
    (speakers / "anna" / "notes.txt").write_text("not audio")
    (speakers / "README").write_text("not a speaker")
    return speakers


class Backwards:
    """What `os.scandir` gives, in the other order."""

    def __init__(self, entries: Iterable[os.DirEntry[str]]) -> None:
        self._entries = list(entries)

    def __iter__(self) -> "Backwards":
        return self

    def __next__(self) -> os.DirEntry[str]:
        if not self._entries:
            raise StopIteration
        return self._entries.pop()

    def __enter__(self) -> "Backwards":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def close(self) -> None:
        pass


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    run_main(monkeypatch, prepare_folder, output, *words)


def test_ids_durations_and_entries_follow_the_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "data", "--corpus-dir", folder)
    wav_scp = read_both(tmp_path / "data", "wav.scp")
    assert {key: file_of_entry(entry) for key, entry in wav_scp.items()} == {
        key: folder / name for key, name in IDS.items()
    }
    assert wav_scp["anna-mon_day-2"] == f"flac -c -d -s '{folder}/anna/mon day/2.flac' |"
    assert wav_scp["ar01-003"] == f"{folder}/ar01/ar01-003.wav"
    durations = read_both(tmp_path / "data", "utt2dur")
    for key, name in IDS.items():
        i = NAMES.index(name)
        assert float(durations[key]) == pytest.approx(0.25 + 0.01 * (i % 16))
    assert set(read_both(tmp_path / "data", "utt2spk").values()) == {
        "anna",
        "ar01",
        "Bob_Lee__2_",
        "Żółw",
        "zoe",
    }
    for part in ("train", "test"):
        assert kaldi_checks.validate(tmp_path / "data" / part) == "valid"


def test_speakers_are_split_by_seed_and_share(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_speech(folder, [f"more{i}/{j}.wav" for i in range(7) for j in (1, 2)])
    splits = []
    for words in (
        ["0"],
        ["0"],
        ["1"],
        ["2"],
        ["0", "--test-share", "0.5"],
        ["0", "--test-share", "0.01"],
    ):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, "--data-seed", *words)
        train, test = (
            set(read_table(tmp_path / "d" / part / "spk2utt")) for part in ("train", "test")
        )
        assert not train & test
        assert len(train | test) == 12
        splits.append(frozenset(test))
    assert splits[0] == splits[1]
    assert len(set(splits[1:4])) > 1
    assert [len(split) for split in splits] == [2, 2, 2, 2, 6, 2]


def test_two_folders_are_taken_as_they_are(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_dir = tmp_path / "unseen"
    write_speech(test_dir, [f"new{i}/{j}.flac" for i in (1, 2) for j in (1, 2)])
    # Relative paths become absolute.
    monkeypatch.chdir(tmp_path)
    prepare(monkeypatch, tmp_path / "d", "--train-dir", "my speakers", "--test-dir", "unseen")
    assert read_table(tmp_path / "d/train/wav.scp").keys() == IDS.keys()
    entries = read_table(tmp_path / "d/test/wav.scp")
    assert entries["new2-1"] == f"flac -c -d -s {test_dir}/new2/1.flac |"
    trials = read_trials(tmp_path / "d/test/trials")
    assert (len(trials), sum(trial.target for trial in trials)) == (6, 2)


def test_links_to_speakers_folders_are_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "disk2"
    (folder / "zoe").rename(elsewhere)
    (folder / "zoe").symlink_to(elsewhere)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert {"zoe-1", "zoe-2"} <= read_both(tmp_path / "d", "utt2spk").keys()


def test_audio_in_no_speaker_s_folder_is_counted_and_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(folder / "loose.wav", make_speech(0))
    with caplog.at_level(logging.WARNING):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert f"{folder}: 1 files " in caplog.text
    assert read_both(tmp_path / "d", "utt2spk").keys() == IDS.keys()


def test_a_recording_in_two_forms_is_refused_with_both_names(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(folder / "anna/mon day/1.flac", make_speech(0))
    with pytest.raises(ValueError, match=r"'anna-mon_day-1' .*1\.(wav|flac) .*1\.(wav|flac)"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert not (tmp_path / "d").exists()


def test_names_that_would_become_one_get_numbers_whatever_the_order_of_the_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Names that are their own ids keep them, in whichever of two folders they are."""
    more = ["anna/mon_day/1.wav", "zoe/zoe-1.wav", "Bob_Lee (2)/1.wav", "Bob_Lee__2_/1.wav"]
    write_speech(folder, more)
    numbered = {
        "anna-mon_day-1": "anna/mon day/1.wav",
        "anna-mon_day-1_2": "anna/mon_day/1.wav",
        "zoe-1": "zoe/zoe-1.wav",
        "zoe-1_2": "zoe/1.wav",
        "Bob_Lee__2_-1": "Bob_Lee__2_/1.wav",
        "Bob_Lee__2__2-a_b": "Bob-Lee (2)/a+b.wav",
        "Bob_Lee__2__3-1": "Bob_Lee (2)/1.wav",
    }
    scandir = os.scandir
    for i, order in enumerate([scandir, lambda place: Backwards(scandir(place))]):
        monkeypatch.setattr(os, "scandir", order)
        prepare(monkeypatch, tmp_path / f"d{i}", "--corpus-dir", folder)
        wav_scp = read_both(tmp_path / f"d{i}", "wav.scp")
        assert {key: file_of_entry(wav_scp[key]) for key in numbered} == {
            key: folder / name for key, name in numbered.items()
        }
        assert len(wav_scp) == len(NAMES) + len(more)
        for part in ("train", "test"):
            assert kaldi_checks.validate(tmp_path / f"d{i}" / part) == "valid"
    assert "2 speakers get a number" in caplog.text
    (tmp_path / "test").mkdir()
    for name in ("Bob_Lee__2_", "zoe"):
        (folder / name).rename(tmp_path / "test" / name)
    prepare(monkeypatch, tmp_path / "d", "--train-dir", folder, "--test-dir", tmp_path / "test")
    assert "Bob_Lee__2__2" in read_table(tmp_path / "d/train/spk2utt")
    assert read_table(tmp_path / "d/test/spk2utt").keys() == {"Bob_Lee__2_", "zoe"}


def test_letters_with_marks_of_any_script_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vowel signs tell names apart; what a Mac takes to pieces is put together again."""
    names = ["राम", "रीम", "रोम", "สมชาย", "สมชูย", normalize("NFD", "Zoë")]
    folder = tmp_path / "speakers"
    write_speech(folder, [f"{name}/{i}.wav" for name in names for i in (1, 2)])
    lines = [f"{normalize('NFC', name)}\tf\n" for name in names]
    (folder / "sex.tsv").write_text("".join(lines), encoding="utf-8")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    expected = {normalize("NFC", name): "f" for name in names}
    assert read_both(tmp_path / "d", "spk2gender") == expected
    for part in ("train", "test"):
        assert kaldi_checks.validate(tmp_path / "d" / part) == "valid"


def test_a_speaker_in_both_folders_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_speech(tmp_path / "unseen", ["zoe/7.wav", "zoe/8.wav", "other/1.wav"])
    with pytest.raises(ValueError, match=r"^1 speakers .*'zoe'"):
        prepare(
            monkeypatch, tmp_path / "d", "--train-dir", folder, "--test-dir", tmp_path / "unseen"
        )


def test_few_bad_files_are_left_out_and_many_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_speech(folder, [f"zoe/more{j}.wav" for j in range(30)])
    (folder / "zoe/more7.wav").write_bytes(b"")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert "zoe/more7.wav: empty file" in caplog.text
    keys = read_both(tmp_path / "d", "utt2spk").keys()
    assert keys == IDS.keys() | {f"zoe-more{j}" for j in range(30) if j != 7}
    before = snapshot(tmp_path / "d")
    for j in (8, 9, 10):
        (folder / f"zoe/more{j}.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"^4 of 37 files .*5%"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert snapshot(tmp_path / "d") == before


def test_a_test_folder_stands_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "d", "--test-dir", folder)
    assert read_table(tmp_path / "d/test/wav.scp").keys() == IDS.keys()
    assert not (tmp_path / "d/train").exists()
    assert kaldi_checks.validate(tmp_path / "d/test") == "valid"


@pytest.mark.parametrize(
    "words", [[], ["--train-dir", "a"], ["--corpus-dir", "a", "--test-dir", "b"]]
)
def test_half_a_choice_of_folders_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    with pytest.raises(ValueError, match=r"--corpus-dir.*--train-dir and --test-dir"):
        prepare(monkeypatch, tmp_path / "d", *words)


@pytest.mark.parametrize("share", ["0", "1", "-1", "0.9"])
def test_a_share_that_leaves_a_set_empty_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    with pytest.raises(ValueError, match=f"--test-share {share}"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, "--test-share", share)


def test_a_wrong_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty/speaker").mkdir(parents=True)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/missing: .*\.wav"):
        prepare(monkeypatch, tmp_path / "data", "--corpus-dir", tmp_path / "missing")
    words: list[str | Path] = ["--train-dir", tmp_path / "empty", "--test-dir", tmp_path / "empty"]
    with pytest.raises(ValueError, match=rf"^{tmp_path}/empty: .*\.wav"):
        prepare(monkeypatch, tmp_path / "data", *words)
    assert not (tmp_path / "data").exists()


def test_a_file_of_another_rate_has_its_true_duration(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(folder / "zoe/3.wav", make_speech(0, 0.5, 2 * RATE), 2 * RATE)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder)
    assert float(read_both(tmp_path / "d", "utt2dur")["zoe-3"]) == 0.5


def test_a_closed_set_tests_other_utterances_of_the_same_speakers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten, five and two utterances: 0.3 of ten test, at least two of five, none of two."""
    sizes = {"anna": 10, "ben": 5, "cleo": 2}
    names = [f"{name}/{i}.wav" for name, size in sizes.items() for i in range(size)]
    write_speech(tmp_path / "speakers", names)
    chosen = []
    for seed in ("0", "0", "1"):
        words = ("--closed-set", "--test-share", "0.3", "--data-seed", seed, "--identification")
        prepare(monkeypatch, tmp_path / "data", "--corpus-dir", tmp_path / "speakers", *words)
        spk2utt = {
            part: read_table(tmp_path / "data" / part / "spk2utt") for part in ("train", "test")
        }
        counts = {
            part: {name: len(keys.split()) for name, keys in table.items()}
            for part, table in spk2utt.items()
        }
        assert counts == {"train": {"anna": 7, "ben": 3, "cleo": 2}, "test": {"anna": 3, "ben": 2}}
        assert len(read_both(tmp_path / "data", "utt2spk")) == 17
        assert (tmp_path / "data" / "test" / "trials_identification").is_file()
        chosen.append(spk2utt["test"])
    assert chosen[0] == chosen[1] != chosen[2]


def test_a_closed_set_has_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str | Path] = ["--closed-set", "--train-dir", tmp_path, "--test-dir", tmp_path]
    with pytest.raises(ValueError, match="--closed-set"):
        prepare(monkeypatch, tmp_path / "data", *words)


def test_unlabelled_files_are_speakers_of_their_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in no folder, too; test speakers stay as they are."""
    write_audio(folder / "loose.wav", make_speech(0))
    write_speech(tmp_path / "unseen", ["new1/1.flac", "new1/2.flac", "new2/1.wav", "new2/2.wav"])
    words = ("--train-dir", folder, "--test-dir", tmp_path / "unseen", "--unlabelled")
    prepare(monkeypatch, tmp_path / "d", *words)
    utt2spk = read_table(tmp_path / "d/train/utt2spk")
    assert len(utt2spk) == len(NAMES) + 1
    assert all(key == speaker for key, speaker in utt2spk.items())
    assert {"loose", "anna_mon_day_1", "Bob_Lee__2__c_d.v2"} <= utt2spk.keys()
    assert set(read_table(tmp_path / "d/test/utt2spk").values()) == {"new1", "new2"}
    assert kaldi_checks.validate(tmp_path / "d/train") == "valid"


def test_unlabelled_speech_cannot_be_tested(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="--unlabelled is for --train-dir, beside a --test-dir"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, "--unlabelled")
