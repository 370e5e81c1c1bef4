"""Stage 0 with recordings of several channels: one of them, each of them, Lhotse's own."""

import logging
from pathlib import Path

import numpy as np
import pytest
from lhotse import (
    AudioSource,
    CutSet,
    FeatureSet,
    Recording,
    RecordingSet,
    SupervisionSegment,
    SupervisionSet,
)

import prepare_folder
import prepare_lhotse
from deep_speaker.corpora.manifests import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.data_dir import read_utterances
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import channel_of_entry, file_of_entry
from support import kaldi_checks
from support.lhotse_parts import write_part
from support.preparation import read_both, run_main
from support.speech import EXPERIMENT, RATE, make_speech, snapshot, write_audio

CALLS = [f"{name}/{i}.{form}" for name in ("ann", "ben-2", "cat", "dan") for i, form in
         enumerate(["wav", "flac", "wav"])]  # fmt: skip


def sides_of(call: str) -> list[np.ndarray]:
    """The samples of a call's two sides."""
    return [make_speech(2 * CALLS.index(call) + side) for side in (0, 1)]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Four folders of three calls."""
    for call in CALLS:
        write_audio(tmp_path / "calls" / call, np.stack(sides_of(call), axis=1))
    return tmp_path / "calls"


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    run_main(monkeypatch, prepare_folder, output, *words)


def as_integers(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * 32768).clip(-32768, 32767)


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


def test_files_of_one_channel_lack_the_second_and_are_the_first_side(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(calls / "ann/0.wav", make_speech(0))
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", calls, "--channel", "2")
    assert "/ann/0.wav: no channel 2: it has 1" in caplog.text
    assert len(read_both(tmp_path / "a", "utt2spk")) == 11
    prepare(monkeypatch, tmp_path / "b", "--corpus-dir", calls, "--channel", "each")
    assert "--channel each: 1 of " in caplog.text
    keys = read_both(tmp_path / "b", "utt2spk").keys()
    assert "ann_1-0" in keys
    assert "ann_2-0" not in keys
    write_audio(calls / "ann/1.flac", make_speech(0))
    with pytest.raises(ValueError, match=r"^2 of .*files .*no channel 2"):
        prepare(
            monkeypatch, tmp_path / "c", "--train-dir", calls, "--test-dir", calls,
            "--channel", "2",
        )  # fmt: skip


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


def test_lhotse_loads_the_channels_from_the_manifests(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", calls, "--channel", "each")
    folder = tmp_path / "d/train"
    compute_data_dir(folder, EXPERIMENT, 1)
    read = {
        kind: each.from_file(manifest_path(folder, kind))
        for kind, each in (("recordings", RecordingSet), ("supervisions", SupervisionSet),
                           ("features", FeatureSet))
    }  # fmt: skip
    entries, table = read_table(folder / "wav.scp"), ArchiveTable(folder / "feats.scp")
    cuts = CutSet.from_manifests(**read)
    assert {cut.recording_id for cut in cuts} == entries.keys()
    for cut in cuts:
        (supervision,) = cut.supervisions
        key = cut.recording_id
        assert supervision.channel == channel_of_entry(entries[key]) == cut.features.channels
        samples, _ = load_audio(entries[key], RATE)
        audio = cut.recording.load_audio(channels=supervision.channel)
        np.testing.assert_array_equal(audio[0] * 32768, samples)
        np.testing.assert_allclose(cut.load_features(), table.rows(key), rtol=0, atol=1e-5)
    # And back: what Lhotse's manifests say of channels is taken.
    run_main(monkeypatch, prepare_lhotse, tmp_path / "e", "--corpus-dir", tmp_path / "d/manifests")
    fresh = tmp_path / "f"
    prepare(monkeypatch, fresh, "--corpus-dir", calls, "--channel", "each")
    for part in ("train", "test"):
        assert snapshot(fresh / part) == snapshot(tmp_path / "e" / part)


def test_lhotse_s_supervisions_are_heard_on_their_own_channel(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of two, a file for each, a command for each; segments, too, and lists of channels."""
    for part in ("train", "test"):
        recordings, supervisions = [], []
        for i, call in enumerate(CALLS[:4] if part == "train" else CALLS[4:8]):
            sources = [AudioSource("file", [0, 1], str(calls / call))]
            if i % 4 > 1:
                paths = [
                    write_audio(tmp_path / f"{part}{i}/{side}.wav", samples)
                    for side, samples in enumerate(sides_of(call))
                ]
                kind, before = ("file", "") if i % 4 == 2 else ("command", "cat ")
                sources = [
                    AudioSource(kind, [side], f"{before}{path}") for side, path in enumerate(paths)
                ]
            recordings.append(Recording(f"{part}{i}", sources, RATE, 6400, 0.4))
            for side in (0, 1):
                channel = side if side or i else [0, 1]
                for k, (start, length) in enumerate([(0, 0.4), (0.1, 0.2)]):
                    key = f"{part}{i}-{'AB'[side]}-{k}"
                    supervisions.append(
                        SupervisionSegment(
                            key, f"{part}{i}", start, length, channel, speaker=f"{part}{i}{side}"
                        )
                    )
        write_part(tmp_path / "lhotse", part, recordings, supervisions)
    run_main(monkeypatch, prepare_lhotse, tmp_path / "d", "--corpus-dir", tmp_path / "lhotse")
    assert kaldi_checks.validate(tmp_path / "d/train") == "valid"
    utterances = {item.id: item for item in read_utterances(tmp_path / "d/train", 1)}
    assert len(utterances) == 16
    for i, call in enumerate(CALLS[:4]):
        for side, wanted in enumerate(sides_of(call)):
            whole = utterances[f"train{i}{side}-train{i}-{'AB'[side]}-0"]
            segment = utterances[f"train{i}{side}-train{i}-{'AB'[side]}-1"]
            assert segment.recording == f"train{i}" + ("-2" if side else "")
            samples, _ = load_audio(whole.entry, RATE)
            np.testing.assert_allclose(samples, as_integers(wanted), atol=1)
            assert segment.entry == whole.entry


def test_a_file_that_lacks_the_supervision_s_channel_is_bad(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(calls / CALLS[0], make_speech(0))
    for part, chosen in (("train", CALLS[:4]), ("test", CALLS[6:10])):
        recordings = [
            Recording(call, [AudioSource("file", [0, 1], str(calls / call))], RATE, 6400, 0.4)
            for call in chosen
        ]
        supervisions = [
            SupervisionSegment(call, call, 0, 0.4, 1, speaker=call.split("/")[0]) for call in chosen
        ]
        write_part(tmp_path / "lhotse", part, recordings, supervisions)
    with caplog.at_level(logging.WARNING):
        run_main(monkeypatch, prepare_lhotse, tmp_path / "d", "--corpus-dir", tmp_path / "lhotse")
    assert "ann-ann/0.wav: no channel 2: it has 1" in caplog.text
    assert len(read_table(tmp_path / "d/train/utt2spk")) == 3
