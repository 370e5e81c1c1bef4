"""Sets that may not train and test: audio in the way."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from deep_speaker.corpora.checks import check_sets, check_source
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo

INFO = AudioInfo(16000, 48000, 1, "WAV", "PCM_16")
A, B = (Utterance(f"{speaker}-0", speaker, f"/{speaker}.wav", INFO) for speaker in "ab")


@pytest.mark.parametrize(
    "entry",
    [
        "{}/train/x.wav",
        "{}/train/../test/x.wav",
        "flac -c -d -s {}/train/x.flac |",
        "cat '{}/manifests/x.wav' |",
        "cd {}/train && cat x.wav |",
    ],
)
def test_audio_in_folders_that_are_replaced_is_refused(tmp_path: Path, entry: str) -> None:
    inside = replace(A, entry=entry.format(tmp_path))
    for sets in (([inside], [B]), ([replace(B, id="0-0", speaker="0")], [inside])):
        with pytest.raises(ValueError, match=rf"lies in {tmp_path}, .*train, test, manifests"):
            check_sets(tmp_path, *sets)
    beside = replace(A, entry=entry.format(f"{tmp_path}/wav").replace("..", "wav"))
    check_sets(tmp_path, [beside], [B])


@pytest.mark.parametrize("path", ["/a\nb/x.wav", "flac -c -d -s '/a\rb.flac' |", "/\udcff.wav"])
def test_a_path_that_no_table_could_hold_is_named(tmp_path: Path, path: str) -> None:
    told = f"{path!r}, of 'a-0': a line of wav.scp cannot hold .*: rename the file or folder"
    with pytest.raises(ValueError, match=re.escape(told).replace(r"\.\*", ".*")):
        check_sets(tmp_path, [replace(A, entry=path)], [B])


@pytest.mark.parametrize("speaker", ["", "a b", "a\x1b[2J", "a\x85", "\udcff"])
def test_a_speaker_id_that_no_table_could_hold_is_refused(tmp_path: Path, speaker: str) -> None:
    with pytest.raises(ValueError, match=r"^'a-0': speaker id .* rename it"):
        check_sets(tmp_path, [replace(A, speaker=speaker)], [B])


def test_a_corpus_is_not_read_from_where_it_is_written(tmp_path: Path) -> None:
    for name in ("", "train", "manifests"):
        with pytest.raises(ValueError, match=f"^{tmp_path / name} lies in {tmp_path}, .*--name"):
            check_source(tmp_path, tmp_path / name)
    check_source(tmp_path / "data", tmp_path)
    check_source(tmp_path / "data", tmp_path / "data2")
    check_source(tmp_path, None)
