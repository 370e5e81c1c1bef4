"""Lhotse manifests that cannot be used: one line each, and nothing is written."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lhotse import AudioSource, CutSet, RecordingSet, SupervisionSet

import prepare_lhotse
from deep_speaker.kaldi.tables import read_table
from support.lhotse_parts import write_part
from support.preparation import run_main


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    run_main(monkeypatch, prepare_lhotse, output, *words)


def test_a_recording_that_comes_twice_is_one_line(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, _ = parts["test-clean"]
    with RecordingSet.open_writer(tmp_path / "lhotse/tiny_recordings_test-clean.jsonl.gz") as file:
        for item in [*recordings, replace(recordings[2], sampling_rate=8000)]:
            file.write(item)
    told = r"/tiny_recordings_test-clean\.jsonl\.gz: recording 'test-clean-1-0' "
    with pytest.raises(ValueError, match=told):
        prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    assert not (tmp_path / "a").exists()


def test_supervisions_in_place_of_recordings_are_one_line(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisions = SupervisionSet.from_segments(parts["test-clean"][1])
    supervisions.to_file(tmp_path / "lhotse/tiny_recordings_test-clean.jsonl.gz")
    with pytest.raises(
        ValueError,
        match=r"/tiny_recordings_test-clean\.jsonl\.gz: .*recordings .*SupervisionSegment",
    ):
        prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")


@pytest.mark.parametrize(
    ("recording", "supervision", "told"),
    [
        ({}, {"speaker": None}, "supervision '000' .*speaker"),
        ({}, {"channel": 1}, r"supervision '000' .*channel 1 of .*'test-clean-0-0'.* has \[0\]"),
        (
            {"sources": [AudioSource("command", [0, 1], "cat a.wav")]},
            {"channel": 1},
            "supervision '000' .*channel 1 of .*'test-clean-0-0': give a command",
        ),
        ({}, {"duration": "0.3"}, "supervision '000': values of other types"),
        ({}, {"start": float("nan")}, "supervision '000': start: .*finite number"),
        ({}, {"duration": float("inf")}, "supervision '000': end: .*finite number"),
        ({}, {"speaker": 3}, "supervision '000': speaker: .*string, got 3"),
        ({}, {"text": ["a"]}, "supervision '000': text: .*string"),
        ({}, {"channel": {}}, "supervision '000': values of other types"),
        ({"sampling_rate": 0}, {}, "recording 'test-clean-0-0': sampling_rate: .*greater than 0"),
        ({"num_samples": -1}, {}, "recording 'test-clean-0-0': num_samples: .*greater than 0"),
        ({"duration": "long"}, {}, "recording 'test-clean-0-0': duration: .*number"),
        ({}, {"recording_id": "x"}, "supervision '000' .*'x', .*recordings_test-clean"),
        (
            {"sources": [AudioSource("url", [0], "http://x/a.wav")]},
            {},
            "'test-clean-0-0'.* is a url,",
        ),
        ({"sources": [AudioSource("file", [1], "a.wav")]}, {}, r"'test-clean-0-0'.* has \[1\]:"),
        ({"transforms": [{"name": "Speed", "kwargs": {"factor": 1.1}}]}, {}, "'test-clean-0-0' "),
    ],
)
def test_what_cannot_be_used_is_one_line(
    parts: dict[str, tuple[list, list]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recording: dict[str, Any],
    supervision: dict[str, Any],
    told: str,
) -> None:
    recordings, supervisions = parts["test-clean"]
    recordings = [replace(recordings[0], **recording), *recordings[1:]]
    supervisions = [replace(supervisions[0], **supervision), *supervisions[1:]]
    write_part(tmp_path / "lhotse", "test-clean", recordings, supervisions)
    with pytest.raises(ValueError, match=told) as error:
        prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("line", ["no json", '{"id": "a"}'])
def test_a_file_that_is_no_manifest_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "lhotse/tiny_recordings_test-more.jsonl").write_text(f"{line}\n")
    (tmp_path / "lhotse/tiny_supervisions_test-more.jsonl").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"/tiny_recordings_test-more\.jsonl: .*recordings \("):
        prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")


def test_bad_audio_is_left_out(
    parts: dict[str, tuple[list, list]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "audio/train-small-0/0.wav").write_bytes(b"")
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    assert "train_small_0-000: empty file" in caplog.text
    assert len(read_table(tmp_path / "a/train/utt2spk")) == 11
    (tmp_path / "audio/train-small-1/0.wav").unlink()
    with pytest.raises(ValueError, match=r"^2 of 12 supervisions "):
        prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")


def test_a_mixed_cut_is_refused(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (recordings, supervisions) in parts.items():
        cuts = CutSet.from_manifests(
            RecordingSet.from_recordings(recordings), SupervisionSet.from_segments(supervisions)
        )
        (tmp_path / name).mkdir()
        cuts.pad(duration=3.0).to_file(tmp_path / name / "cuts.jsonl.gz")
    with pytest.raises(ValueError, match=r"/cuts\.jsonl\.gz: cut "):
        prepare(
            monkeypatch, tmp_path / "a",
            "--train-dir", tmp_path / "train-small", "--test-dir", tmp_path / "test-clean",
        )  # fmt: skip
