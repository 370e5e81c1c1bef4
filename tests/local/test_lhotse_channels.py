"""Channels in Lhotse's manifests: those of stage 0 and 1, and of others."""

import logging
from pathlib import Path

import numpy as np
import pytest
from lhotse import (
    AudioSource,
    CutSet,
    FeatureSet,
    MonoCut,
    Recording,
    RecordingSet,
    SupervisionSegment,
    SupervisionSet,
)

import prepare_lhotse
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.data_dir import read_utterances
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import channel_of_entry, file_of_entry
from support import kaldi_checks
from support.calls import CALLS, as_integers, prepare, sides_of, write_calls
from support.lhotse_parts import write_part
from support.odd_audio import cut_in_half
from support.preparation import run_main
from support.speech import EXPERIMENT, RATE, make_speech, snapshot, write_audio


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return write_calls(tmp_path / "calls")


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


def test_the_channel_that_is_heard_stays_where_lengths_are_corrected(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", calls, "--channel", "2")
    folder = tmp_path / "d/train"
    key, entry = min(read_table(folder / "wav.scp").items())  # WAV
    path = file_of_entry(entry)
    assert path is not None
    cut_in_half(path)
    compute_data_dir(folder, EXPERIMENT, 1)
    recording, supervision = (
        next(item for item in each.from_file(manifest_path(folder, kind)) if item.id == key)
        for kind, each in (("recordings", RecordingSet), ("supervisions", SupervisionSet))
    )
    assert supervision.channel == 1
    assert supervision.duration == recording.duration == pytest.approx(0.2, abs=0.01)
    heard = recording.load_audio(channels=supervision.channel)[0]
    wanted = as_integers(sides_of(str(path.relative_to(calls)))[1])
    np.testing.assert_allclose(heard * 32768, wanted[: len(heard)], atol=1)


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


def test_windows_of_cuts_are_heard_on_their_channel(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, chosen in (("train", CALLS[:4]), ("test", CALLS[4:8])):
        cuts = []
        for call in chosen:
            audio = Recording.from_file(calls / call, recording_id=call)
            spoken = SupervisionSegment(call, call, 0, 0.4, 1, speaker=call.replace("/", "_"))
            cuts.append(MonoCut(call, 0, 0.4, 1, [spoken], recording=audio))
        (tmp_path / part).mkdir()
        windows = CutSet.from_cuts(cuts).cut_into_windows(0.2)
        windows.to_file(tmp_path / part / "cuts.jsonl.gz")
    run_main(
        monkeypatch, prepare_lhotse, tmp_path / "d",
        "--train-dir", tmp_path / "train", "--test-dir", tmp_path / "test",
    )  # fmt: skip
    found = list(read_utterances(tmp_path / "d/train", 1))
    assert len(found) == 8
    for item in found:
        assert item.segment is not None
        assert item.segment.recording.endswith("-2")
        path = file_of_entry(item.entry)
        assert path is not None
        wanted = sides_of(str(path.relative_to(calls)))[1]
        samples, _ = load_audio(item.entry, RATE, item.segment.start, item.segment.end)
        start = round(item.segment.start * RATE)
        np.testing.assert_allclose(samples, as_integers(wanted)[start : start + 3200], atol=1)


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
