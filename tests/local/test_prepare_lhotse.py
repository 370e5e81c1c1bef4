"""Stage 0 for Lhotse manifests: supervisions, whole or segments, and what is refused."""

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from lhotse import AudioSource, CutSet, RecordingSet, SupervisionSet

import prepare_kaldi
import prepare_lhotse
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.data_dir import read_utterances, write_data_dir
from deep_speaker.kaldi.tables import read_table
from support import kaldi_checks
from support.lhotse_parts import make_part, write_part
from support.preparation import run_main
from support.speech import EXPERIMENT, make_utterances, snapshot


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    run_main(monkeypatch, prepare_lhotse, output, *words)


@pytest.mark.usefixtures("parts")
def test_supervisions_become_utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    folder = tmp_path / "a/test"
    utterances = {item.id: item for item in read_utterances(folder, 1)}
    assert utterances.keys() == {
        f"test_clean_{i}-{i}{tail}" for i in range(4) for tail in ("00", "10", "11")
    }
    for key, item in utterances.items():
        assert item.speaker == key.split("-")[0]
        assert item.text == "a b"
        i = int(key.split("-")[1][0])
        assert item.sex == "mffm"[i]
        assert item.entry == f"{tmp_path}/audio/test-clean-{i}/{key[-2]}.wav"
    segments = read_table(folder / "segments")
    assert segments["test_clean_1-111"] == "test-clean-1-1 0.100000 0.200000"
    whole = utterances["test_clean_1-100"]
    assert segments["test_clean_1-100"] == f"test_clean_1-100 0.000000 {whole.info.duration:.6f}"
    assert kaldi_checks.validate(folder) == "valid"
    compute_data_dir(folder, EXPERIMENT, 2)
    assert read_table(folder / "feats.scp").keys() == utterances.keys()


def test_folders_and_cuts_give_the_same(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    for name, (recordings, supervisions) in parts.items():
        (tmp_path / name).mkdir()
        cuts = CutSet.from_manifests(
            RecordingSet.from_recordings(recordings), SupervisionSet.from_segments(supervisions)
        )
        assert len(cuts) == 8
        cuts = cuts.trim_to_supervisions(keep_overlapping=False).to_eager()
        assert len(cuts) == 12
        cuts.to_file(tmp_path / name / "cuts.jsonl")
    prepare(
        monkeypatch, tmp_path / "b",
        "--train-dir", tmp_path / "train-small", "--test-dir", tmp_path / "test-clean",
    )  # fmt: skip
    for part in ("train", "test"):
        assert snapshot(tmp_path / "a" / part) == snapshot(tmp_path / "b" / part)
    prepare(monkeypatch, tmp_path / "c", "--test-dir", tmp_path / "test-clean")
    assert snapshot(tmp_path / "c/test") == snapshot(tmp_path / "b/test")
    assert not (tmp_path / "c/train").exists()


@pytest.mark.usefixtures("parts")
def test_parts_are_chosen_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_part(tmp_path / "lhotse", "dev", *make_part("dev", tmp_path / "audio"))
    for path in sorted((tmp_path / "lhotse").iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7 a Mac's")
    prepare(
        monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse",
        "--train-parts", "train-*", "dev", "--test-parts", "*clean",
    )  # fmt: skip
    speakers = set(read_table(tmp_path / "a/train/utt2spk").values())
    assert speakers == {f"{name}_{i}" for name in ("train_small", "dev") for i in range(4)}
    with pytest.raises(ValueError, match=r"/lhotse: .*other\*.* dev test-clean train-small$"):
        prepare(
            monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse",
            "--test-parts", "other*",
        )  # fmt: skip
    next((tmp_path / "lhotse").glob("tiny_supervisions_dev*")).unlink()
    with pytest.raises(ValueError, match=r"/tiny_recordings_dev\.jsonl\.gz: "):
        prepare(
            monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse",
            "--train-parts", "dev",
        )  # fmt: skip


def test_the_manifests_of_stage_0_itself_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Kaldi data directory through Lhotse and back: ids, speakers, sexes, texts, durations."""
    for part in ("train", "test"):
        utterances = [
            replace(item, text=item.id) for item in make_utterances(tmp_path / part, part, 4)
        ]
        write_data_dir(tmp_path / "kaldi" / part, utterances)
    words = ["prepare_kaldi.py", str(tmp_path / "a"), "--corpus-dir", str(tmp_path / "kaldi")]
    monkeypatch.setattr(sys, "argv", words)
    prepare_kaldi.main()
    prepare(monkeypatch, tmp_path / "b", "--corpus-dir", tmp_path / "a/manifests")
    for part in ("train", "test"):
        assert snapshot(tmp_path / "a" / part) == snapshot(tmp_path / "b" / part)


def test_commands_are_taken_and_not_run(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, supervisions = parts["test-clean"]
    changed = []
    for item in recordings:
        command = f"touch {tmp_path}/ran; cat {item.sources[0].source}"
        changed.append(replace(item, sources=[AudioSource("command", [0], command)]))
    write_part(tmp_path / "lhotse", "test-clean", changed, supervisions)
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    assert not (tmp_path / "ran").exists()
    entry = read_table(tmp_path / "a/test/wav.scp")["test-clean-0-1"]
    assert entry == f"touch {tmp_path}/ran; cat {tmp_path}/audio/test-clean-0/1.wav |"
    compute_data_dir(tmp_path / "a/test", EXPERIMENT, 1)
    assert (tmp_path / "ran").exists()


def test_relative_paths_start_in_the_current_directory_or_around_the_manifests(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, supervisions = parts["test-clean"]
    relative = []
    for item in recordings:
        path = Path(item.sources[0].source).relative_to(tmp_path)
        relative.append(replace(item, sources=[AudioSource("file", [0], str(path))]))
    write_part(tmp_path / "lhotse", "test-clean", relative, supervisions)
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    entry = read_table(tmp_path / "a/test/wav.scp")["test-clean-0-1"]
    assert entry == f"{tmp_path}/audio/test-clean-0/1.wav"


def test_recordings_are_joined_by_their_ids_whatever_their_order_and_letters(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of which one begins another, and with characters that an order of bytes may trip on."""
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    names = ["a", "a b", "a\tb", 'a"', "a-", "é", "\U00010400", "\uff21"]
    recordings, supervisions = parts["test-clean"]
    new = dict(zip((item.id for item in recordings), names, strict=True))
    write_part(
        tmp_path / "lhotse",
        "test-clean",
        [replace(item, id=new[item.id]) for item in recordings[::-1]],
        [replace(item, recording_id=new[item.recording_id]) for item in supervisions[::2]]
        + [replace(item, recording_id=new[item.recording_id]) for item in supervisions[1::2]],
    )
    prepare(monkeypatch, tmp_path / "b", "--corpus-dir", tmp_path / "lhotse")
    expected, got = (
        {item.id: item for item in read_utterances(tmp_path / name / "test", 1)} for name in "ab"
    )
    assert got.keys() == expected.keys()
    for key, item in got.items():
        assert (item.entry, item.speaker) == (expected[key].entry, expected[key].speaker)
        assert item.duration == expected[key].duration
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        "manifests", "stage_0_options", "train", "test",
    }  # fmt: skip


def test_supervisions_that_windows_of_cuts_share_get_the_cut_s_id(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Windows of 0.15 s: the first and third supervisions of each speaker are cut, one is not."""
    caplog.set_level("INFO")
    for name, (recordings, supervisions) in parts.items():
        (tmp_path / name).mkdir()
        cuts = CutSet.from_manifests(
            RecordingSet.from_recordings(recordings), SupervisionSet.from_segments(supervisions)
        )
        cuts.cut_into_windows(0.15).to_file(tmp_path / name / "cuts.jsonl.gz")
    prepare(
        monkeypatch, tmp_path / "a",
        "--train-dir", tmp_path / "train-small", "--test-dir", tmp_path / "test-clean",
    )  # fmt: skip
    folder = tmp_path / "a/test"
    assert kaldi_checks.validate(folder) == "valid"
    speaker = [item for item in read_utterances(folder, 1) if item.speaker == "test_clean_1"]
    spans = {item.id.removeprefix("test_clean_1-"): item.segment for item in speaker}
    assert spans.keys() >= {"110", "111-" + min(key for key in spans if key[:3] == "111")[4:]}
    cut_ids = {key[4:] for key in spans if len(key) > 3}
    shared = {item.id for item in CutSet.from_file(tmp_path / "test-clean/cuts.jsonl.gz")}
    assert cut_ids <= shared
    for key in ("100", "111"):
        pieces = sorted(
            (segment.start, segment.end)
            for name, segment in spans.items()
            if name.startswith(key) and segment
        )
        assert len(pieces) > 1
        assert all(first[1] == pytest.approx(second[0]) for first, second in pairwise(pieces))
    assert "test-clean/cuts.jsonl.gz: " in caplog.text
    total = len(read_table(folder / "utt2spk"))
    whole = sum(len(key.split("-")) == 2 for key in read_table(folder / "utt2spk"))
    assert f"{total - whole} supervisions come in several cuts each" in caplog.text
    compute_data_dir(folder, EXPERIMENT, 1)


def test_speakers_that_would_become_one_get_numbers(
    parts: dict[str, tuple[list, list]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    recordings, supervisions = parts["test-clean"]
    changed = [replace(item, speaker=item.speaker.replace("n 3", "n_0")) for item in supervisions]
    write_part(tmp_path / "lhotse", "test-clean", recordings, changed)
    prepare(monkeypatch, tmp_path / "a", "--corpus-dir", tmp_path / "lhotse")
    spk2utt = read_table(tmp_path / "a/test/spk2utt")
    assert spk2utt.keys() == {f"test_clean_{i}" for i in ("0", "0_2", "1", "2")}
    assert spk2utt["test_clean_0_2"].split()[0] == "test_clean_0_2-300"
    assert "'test-clean_0' becomes test_clean_0_2" in caplog.text
    assert kaldi_checks.validate(tmp_path / "a/test") == "valid"
