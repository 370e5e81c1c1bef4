"""Stage 1 knows how long recordings are: what the tables say otherwise is corrected."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lhotse
import numpy as np
import pytest
from lhotse import FeatureSet, RecordingSet, SupervisionSet

import validate_data_dir
from deep_speaker.config import read_experiment
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.features import extraction
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi import audio_files
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.data_dir import read_utterances, write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from support import kaldi_checks
from support.odd_audio import cut_in_half, gsm, open_wav, unmeasured_flac
from support.speech import EXPERIMENT, RATE, make_speech, write_audio
from support.stage_1_folders import failing, read_arrays

SECONDS = 3.0


def write_mp3(path: Path) -> Path:
    return write_audio(path, make_speech(5, SECONDS), subtype="MPEG_LAYER_III")


def write_wav(path: Path) -> Path:
    return write_audio(path, make_speech(5, SECONDS))


# The file before stage 0, and what happens to it before stage 1; seconds left.
CHANGES: dict[str, tuple[str, Callable[[Path], Path], Callable[[Path], object], float]] = {
    "an MP3 cut in half": ("a.mp3", write_mp3, cut_in_half, 1.4),
    "a WAV cut in half": ("a.wav", write_wav, cut_in_half, 1.5),
    "a shorter WAV": ("a.wav", write_wav, lambda path: write_audio(path, make_speech(6, 1)), 1),
    "a longer WAV": ("a.wav", write_wav, lambda path: write_audio(path, make_speech(6, 4)), 4),
    "another rate": (
        "a.wav", write_wav, lambda path: write_audio(path, make_speech(6, 1, 8000), 8000), 1,
    ),
}  # fmt: skip


ODD: dict[str, Callable[[Path], Path]] = {"flac": unmeasured_flac, "wav": open_wav, "gsm": gsm}


def make_folder(folder: Path, odd: list[Utterance]) -> Path:
    """A data directory with manifests: two good recordings, and others."""
    utterances = list(odd)
    for i in range(2):
        path = write_audio(folder / f"good{i}.wav", make_speech(i, 1 + i))
        utterances.append(Utterance(f"good{i}-0", f"good{i}", str(path), read_info(path)))
    utterances.sort(key=lambda item: item.id)
    data_dir = folder / "tiny/test"
    write_data_dir(data_dir, utterances)
    write_manifests(data_dir, utterances)
    return data_dir


def make_utterance(path: Path, **changes: object) -> Utterance:
    info = read_info(path)
    item = Utterance("odd-0", "odd", wav_entry(path.absolute(), info), info)
    return replace(item, **changes)  # type: ignore[arg-type]


def check_all_agree(data_dir: Path) -> None:
    """Tables, manifests and arks tell one length of each utterance and recording."""
    assert kaldi_checks.validate(data_dir) == "valid"
    validate_data_dir.check_data_dir(data_dir)
    durations = read_table(data_dir / "utt2dur")
    features = {item.storage_key: item for item in FeatureSet.from_file(find(data_dir, "features"))}
    assert features.keys() == durations.keys()
    for item in features.values():
        lhotse.validate(item, read_data=True)
    lengths = read_table(data_dir / "reco2dur")
    for item in RecordingSet.from_file(find(data_dir, "recordings")):
        lhotse.validate(item, read_data=True)
        assert f"{item.duration:.6f}" == lengths[item.id]
    for item in SupervisionSet.from_file(find(data_dir, "supervisions")):
        assert item.duration == pytest.approx(float(durations[item.id]), abs=1e-6)
        assert item.end <= float(lengths[item.recording_id]) + 1e-6
    for item in read_utterances(data_dir, 1, decoded=True):
        assert item.duration == pytest.approx(float(durations[item.id]), abs=1e-4)


def find(data_dir: Path, kind: str) -> Path:
    return manifest_path(data_dir, kind)


@pytest.mark.parametrize("change", CHANGES)
def test_tables_and_manifests_are_corrected(
    tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, write, spoil, seconds = CHANGES[change]
    path = write(tmp_path / name)
    data_dir = make_folder(tmp_path, [make_utterance(path)])
    spoil(path)
    compute_data_dir(data_dir, EXPERIMENT, 2)
    samples, info = load_audio(str(path), info_rate := read_info(path).sampling_rate)
    assert info_rate == info.sampling_rate
    found = float(read_table(data_dir / "utt2dur")["odd-0"])
    assert found == pytest.approx(len(samples) / info_rate, abs=1e-6)
    assert found == pytest.approx(seconds, abs=0.1)
    check_all_agree(data_dir)
    (line,) = [line for line in caplog.messages if "stage 0" in line]
    assert line.startswith(f"{data_dir}: 1 of 3 recordings are shorter or longer than ")
    assert f"first odd-0 with {found:.3f} s instead of 3.000: " in line
    caplog.clear()
    compute_data_dir(data_dir, EXPERIMENT, 1)
    assert not caplog.messages


@pytest.mark.parametrize("claimed", [1000, 3 * RATE - 3, 3 * RATE + 99, 90 * RATE])
def test_a_command_of_a_wrong_length_is_corrected(tmp_path: Path, claimed: int) -> None:
    """Stage 0 believes Lhotse's manifests, as commands take long."""
    path = write_wav(tmp_path / "a.wav")
    info = replace(read_info(path), num_samples=claimed)
    data_dir = make_folder(tmp_path, [make_utterance(path, entry=f"cat {path} |", info=info)])
    compute_data_dir(data_dir, EXPERIMENT, 1)
    assert read_table(data_dir / "utt2dur")["odd-0"] == "3.000000"
    check_all_agree(data_dir)


@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_segments_end_where_the_recording_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    """Up to half a second too late, as in Kaldi; those that lie behind are bad."""
    path = (write_mp3 if suffix == "mp3" else write_wav)(tmp_path / f"a.{suffix}")
    spans = {"odd-0": (1.0, 1.7), "odd-1": (0.2, 1.0), "odd-2": (2.0, 2.5), "odd-3": (0.5, 0.9)}
    made = [
        make_utterance(path, id=key, segment=Segment("odd", *span)) for key, span in spans.items()
    ]
    rest = [
        make_utterance(path, id=f"odd-{i}", segment=Segment("odd", 0.1, 0.5)) for i in range(10, 30)
    ]
    data_dir = make_folder(tmp_path, made + rest)
    cut_in_half(path)
    with caplog.at_level(logging.INFO):
        compute_data_dir(data_dir, EXPERIMENT, 2)
    length = float(read_table(data_dir / "reco2dur")["odd"])
    assert length == pytest.approx(1.45, abs=0.1)
    segments = read_table(data_dir / "segments")
    assert segments["odd-0"] == f"odd 1.000000 {length:.6f}"
    assert segments["odd-1"] == "odd 0.200000 1.000000"
    assert read_table(data_dir / "bad_utterances").keys() == {"odd-2"}
    check_all_agree(data_dir)
    assert "1 of 3 recordings are shorter or longer" in caplog.text
    assert "1 segments end after their recording" in caplog.text


def test_an_interrupted_correction_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "a.wav")
    data_dir = make_folder(tmp_path, [make_utterance(path)])
    cut_in_half(path)
    for name in ("correct_tables", "manifest_lines.correct_manifests"):
        with monkeypatch.context() as patch:
            where = f"{extraction.__name__}.{name}"
            patch.setattr(where, failing(extraction.correct_tables, 1, OSError))
            with pytest.raises(OSError, match="injected"):
                compute_data_dir(data_dir, EXPERIMENT, 1)
    compute_data_dir(data_dir, EXPERIMENT, 1)
    check_all_agree(data_dir)


def test_what_no_header_tells_or_nobody_seeks_in_passes_all_of_stage_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded once: what opens them anew, to count their samples, is gone in stage 1."""
    odd = [
        make_utterance(unmeasured_flac(tmp_path / "a.flac"), id="odd-0"),
        make_utterance(open_wav(tmp_path / "a.wav"), id="odd-1"),
        make_utterance(gsm(tmp_path / "b.wav"), id="odd-2"),
    ]
    data_dir = make_folder(tmp_path, odd)
    with monkeypatch.context() as patch:
        patch.setattr(audio_files, "count_samples", None)
        compute_data_dir(data_dir, EXPERIMENT, 1)
    assert kaldi_checks.validate(data_dir) == "valid"
    counts = read_table(data_dir / "utt2num_frames")
    assert [counts[f"odd-{i}"] for i in range(2)] == ["200", "200"]
    validate_data_dir.check_data_dir(data_dir)
    for item in FeatureSet.from_file(find(data_dir, "features")):
        lhotse.validate(item, read_data=True)
    opened = {item.id: item for item in RecordingSet.from_file(find(data_dir, "recordings"))}
    lhotse.validate(opened["odd-1"], read_data=True)


@pytest.mark.parametrize("kind", ODD)
def test_segments_of_odd_recordings_are_those_of_their_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = ODD[kind](tmp_path / f"a.{'flac' if kind == 'flac' else 'wav'}")
    rate = read_info(path).sampling_rate
    whole, _ = load_audio(str(path), rate)
    spans = {"odd-0": (1.0, 1.7), "odd-1": (0.0, 0.5), "odd-2": (0.2, 1.9), "odd-3": (1.6, 2.0)}
    odd = [
        make_utterance(path, id=key, segment=Segment("odd", *span)) for key, span in spans.items()
    ]
    data_dir = make_folder(tmp_path, odd)
    monkeypatch.setattr(audio_files, "count_samples", None)
    compute_data_dir(data_dir, EXPERIMENT, 1)
    assert not (data_dir / "bad_utterances").exists()
    parts = [
        Utterance(
            key, key, str(part := write_audio(tmp_path / f"parts/{key}.wav", cut, rate)),
            read_info(part),
        )
        for key, (start, end) in spans.items()
        for cut in [whole[int(start * rate) : int(end * rate)] / 32768]
    ]  # fmt: skip
    write_data_dir(tmp_path / "parts/test", parts)
    compute_data_dir(tmp_path / "parts/test", EXPERIMENT, 1)
    expected = read_arrays(tmp_path / "parts/test", "feats.scp")
    found = read_arrays(data_dir, "feats.scp")
    for key in spans:
        np.testing.assert_allclose(found[key], expected[key], atol=0.02)


@pytest.mark.parametrize(
    "config", ["embedded", "resnetse34l", "resnetse34", "ecapa_tdnn", "deep_speaker_published"]
)
def test_durations_of_every_front_end_fit_the_frames(tmp_path: Path, config: str) -> None:
    experiment = read_experiment(Path(__file__).parents[2] / f"conf/{config}.yaml")
    odd = [
        make_utterance(
            write_audio(tmp_path / f"{i}.wav", make_speech(i, 0.5 + i / 441 / 3, 44100), 44100),
            id=f"odd-{i}",
        )
        for i in range(9)
    ]
    data_dir = make_folder(tmp_path, odd)
    compute_data_dir(data_dir, experiment, 1)
    check_all_agree(data_dir)
