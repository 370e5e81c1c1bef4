"""Stage 0 with recordings of several channels: one of them, or each of them."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import channel_of_entry, file_of_entry
from support import kaldi_checks
from support.calls import as_integers, prepare, sides_of, write_calls
from support.preparation import read_both
from support.speech import RATE, make_speech, write_audio


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return write_calls(tmp_path / "calls")


def test_another_channel_is_heard_and_the_ids_stay(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "first", "--corpus-dir", calls)
    prepare(monkeypatch, tmp_path / "second", "--corpus-dir", calls, "--channel", "2")
    assert "channel 2" in (tmp_path / "second/stage_0_options").read_text()
    for name in ("utt2spk", "utt2dur"):
        assert read_both(tmp_path / "first", name) == read_both(tmp_path / "second", name)
    for output, heard in (("first", 0), ("second", 1)):
        for key, entry in read_both(tmp_path / output, "wav.scp").items():
            path = file_of_entry(entry)
            assert path is not None
            assert channel_of_entry(entry) == heard
            samples, _ = load_audio(entry, RATE)
            wanted = sides_of(str(path.relative_to(calls)))[heard]
            np.testing.assert_allclose(samples, as_integers(wanted), atol=1, err_msg=key)


def test_each_channel_is_a_recording_and_a_speaker(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (calls / "sex.tsv").write_text(
        "".join(f"{name}_{side} {'mf'[side % 2]}\n" for name in ("ann", "ben-2", "cat", "dan")
                for side in (1, 2))
    )  # fmt: skip
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", calls, "--channel", "each")
    assert read_both(tmp_path / "d", "utt2spk") == {
        f"{name}_{side}-{i}": f"{name}_{side}"
        for name in ("ann", "ben_2", "cat", "dan") for side in (1, 2) for i in range(3)
    }  # fmt: skip
    for key, entry in read_both(tmp_path / "d", "wav.scp").items():
        path, side = file_of_entry(entry), channel_of_entry(entry)
        assert path is not None
        assert f"_{side + 1}-{path.stem}" in key
    sexes = read_both(tmp_path / "d", "spk2gender")
    assert {key[-1] + sex for key, sex in sexes.items()} == {"1f", "2m"}
    for part in ("train", "test"):
        assert kaldi_checks.validate(tmp_path / "d" / part) == "valid"
        # Both sides of a folder's calls are in one set.
        sides = sorted(read_table(tmp_path / "d" / part / "spk2utt"))
        assert [name[:-1] for name in sides[::2]] == [name[:-1] for name in sides[1::2]]


def test_a_name_that_begins_with_the_folder_s_is_not_doubled(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (calls / "ann/0.wav").rename(calls / "ann/ann-07.wav")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", calls, "--channel", "each")
    assert {"ann_1-07", "ann_2-07"} <= read_both(tmp_path / "d", "utt2spk").keys()


def test_names_that_get_numbers_keep_them_on_each_side(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of folders and of files; and a folder may have the name of another's side."""
    (calls / "ben-2").rename(calls / "ann_1")
    (calls / "dan").rename(calls / "ann-1")
    (calls / "cat/1.flac").rename(calls / "cat/a b.flac")
    (calls / "cat/2.wav").rename(calls / "cat/a_b.wav")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", calls, "--channel", "each")
    utt2spk = read_both(tmp_path / "d", "utt2spk")
    names = {"ann": "ann", "ann_1": "ann_1", "ann-1": "ann_1_2", "cat": "cat"}
    assert {*utt2spk.values()} == {f"{key}_{side}" for key in names.values() for side in (1, 2)}
    for key, entry in read_both(tmp_path / "d", "wav.scp").items():
        path = file_of_entry(entry)
        assert path is not None
        assert utt2spk[key] == f"{names[path.parent.name]}_{channel_of_entry(entry) + 1}"
    assert {"cat_2-a_b", "cat_2-a_b_2"} <= utt2spk.keys()


def test_files_of_one_channel_are_heard_on_that_and_are_the_first_side(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(calls / "ann/0.wav", make_speech(0))
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", calls, "--channel", "2")
    assert "files have one channel, and are heard on that" in caplog.text
    assert read_both(tmp_path / "a", "wav.scp")["ann-0"] == str(calls / "ann/0.wav")
    prepare(monkeypatch, tmp_path / "b", "--corpus-dir", calls, "--channel", "each")
    assert "--channel each: 1 of " in caplog.text
    keys = read_both(tmp_path / "b", "utt2spk").keys()
    assert "ann_1-0" in keys
    assert "ann_2-0" not in keys
    with pytest.raises(ValueError, match=r"files .*no channel 3: it has 2"):
        prepare(monkeypatch, tmp_path / "c", "--corpus-dir", calls, "--channel", "3")


@pytest.mark.parametrize("word", ["0", "-1", "left", "1.5"])
def test_other_words_for_a_channel_are_refused(
    calls: Path, tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", calls, f"--channel={word}")


def test_unlabelled_sides_are_speakers_of_their_own(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(4):
        write_audio(tmp_path / f"unseen/{'pq'[i % 2]}/{i}.wav", make_speech(50 + i))
    prepare(
        monkeypatch, tmp_path / "d", "--train-dir", calls, "--test-dir", tmp_path / "unseen",
        "--unlabelled", "--channel", "each",
    )  # fmt: skip
    utt2spk = read_table(tmp_path / "d/train/utt2spk")
    assert len(utt2spk) == 24
    assert utt2spk["ben_2_1_2"] == "ben_2_1_2"
