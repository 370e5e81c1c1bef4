"""Kaldi tables: written as Kaldi wants them, read back, and thinned out."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from deep_speaker.corpora.recordings import safe_id
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import read_utterances, remove_from_tables, write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, group_by_speaker
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.validation.data_dirs import validate_data_dir
from support import kaldi_checks
from support.kaldi_folders import SPEAKERS, make_segments, make_utterances, write_folder
from support.speech import make_utterances as make_speech_utterances
from support.speech import snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path, make_utterances(SPEAKERS))


@pytest.fixture
def segmented(tmp_path: Path) -> Path:
    return write_folder(tmp_path, make_segments())


def test_what_is_written_is_what_kaldi_accepts(folder: Path) -> None:
    assert kaldi_checks.validate(folder) == "valid"
    validate_data_dir(folder)


def test_what_is_written_is_what_was_given(folder: Path) -> None:
    utterances = make_utterances(SPEAKERS)
    assert read_table(folder / "utt2spk") == {item.id: item.speaker for item in utterances}
    spk2utt = {key: value.split() for key, value in read_table(folder / "spk2utt").items()}
    assert spk2utt == {speaker: sorted(keys) for speaker, keys in SPEAKERS.items()}
    assert read_table(folder / "spk2gender") == {item.speaker: item.sex for item in utterances}
    assert set(map(float, read_table(folder / "utt2dur").values())) == {1.5}
    entries = read_table(folder / "wav.scp")
    assert entries == {item.id: item.entry for item in utterances}
    assert (folder / "reco2dur").read_bytes() == (folder / "utt2dur").read_bytes()


def test_any_names_made_safe_give_orders_that_agree(tmp_path: Path) -> None:
    """Two hundred names of characters around the dash, spaces of all kinds, and other scripts."""
    draw = random.Random(1)
    characters = " !#&'()+,-./0a_A~\t\u00a0\u2028\u3000é李ñ\U0001f600\U00010400\uff21"
    names = {safe_id("".join(draw.choices(characters, k=draw.randint(1, 6)))) for _ in range(200)}
    assert len(names) > 100
    write_data_dir(
        tmp_path, make_utterances({name: [f"{name}-{i}" for i in (1, 10, 2)] for name in names})
    )
    assert kaldi_checks.validate(tmp_path) == "valid"


def test_speakers_without_a_known_sex_leave_spk2gender_away(tmp_path: Path) -> None:
    utterances = make_utterances(SPEAKERS)
    write_data_dir(
        tmp_path, [replace(item, sex=None if item.speaker == "19" else "f") for item in utterances]
    )
    assert (tmp_path / "utt2spk").is_file()
    assert not (tmp_path / "spk2gender").exists()


def test_removed_utterances_leave_every_table(folder: Path) -> None:
    unwanted = {"李-1", "19-198-0001"}  # the first is all of its speaker
    whole = {path.name: read_table(path) for path in folder.iterdir()}
    remove_from_tables(folder, unwanted | {"unknown-1"})
    assert kaldi_checks.validate(folder) == "valid"
    for name, table in whole.items():
        if name != "spk2utt":
            kept = {key: value for key, value in table.items() if key not in unwanted | {"李"}}
            assert read_table(folder / name) == kept
    expected = group_by_speaker(read_table(folder / "utt2spk"))
    assert read_table(folder / "spk2utt") == {key: " ".join(expected[key]) for key in expected}


def test_removing_every_utterance_is_refused_and_changes_nothing(folder: Path) -> None:
    before = snapshot(folder)
    utterances = set(read_table(folder / "utt2spk"))
    with pytest.raises(ValueError, match=rf"^{folder}: .*\b{len(utterances)}\b"):
        remove_from_tables(folder, utterances)
    assert snapshot(folder) == before


def test_removal_before_stage_1_makes_no_tables_of_it(folder: Path) -> None:
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames", "spk2gender"):
        (folder / name).unlink()
    present = set(folder.iterdir())
    remove_from_tables(folder, {"李-1"})
    assert set(folder.iterdir()) == present
    validate_data_dir(folder)


def test_segments_name_their_recordings_once_each(segmented: Path) -> None:
    assert kaldi_checks.validate(segmented) == "valid"
    validate_data_dir(segmented)
    utterances = make_segments()
    recordings = {item.recording: item.entry for item in utterances}
    assert len(recordings) == 4
    assert read_table(segmented / "wav.scp") == recordings
    assert read_table(segmented / "reco2dur") == dict.fromkeys(recordings, "1.500000")
    segments = read_table(segmented / "segments")
    assert segments.keys() == {item.id for item in utterances}
    assert segments["19-198-0000"] == "19-198-0000 0.000000 1.500000"
    assert segments["19-198-0001"] == "call-2 0.250000 0.500000"
    assert read_table(segmented / "utt2dur")["19-198-0001"] == "0.250000"


def test_removed_segments_take_their_recordings_along(segmented: Path) -> None:
    remove_from_tables(segmented, {"19-198-0000", "19-198-0001"})
    assert kaldi_checks.validate(segmented) == "valid"
    assert read_table(segmented / "wav.scp").keys() == {"call-2", "call-10", "zoom_call"}
    of_call = {item.id for item in make_segments() if item.recording == "call-10"}
    remove_from_tables(segmented, of_call)
    assert kaldi_checks.validate(segmented) == "valid"
    assert read_table(segmented / "wav.scp").keys() == {"call-2", "zoom_call"}
    assert read_table(segmented / "reco2dur").keys() == {"call-2", "zoom_call"}


def test_utterances_come_back_as_they_were(tmp_path: Path) -> None:
    utterances = make_speech_utterances(tmp_path / "audio")
    whole = utterances[0]
    parts = [
        replace(whole, id=f"{whole.id}-{i}", segment=Segment("talk", i / 16, i / 16 + 0.125))
        for i in range(3)
    ]
    for name, expected in (("whole", utterances), ("parts", [*parts, *utterances[1:]])):
        write_data_dir(tmp_path / name, expected)
        found = list(read_utterances(tmp_path / name, 2))
        if name == "parts":  # the others have become segments as long as their recordings
            assert [item.segment for item in found[:3]] == [item.segment for item in parts]
            found[3:] = [replace(item, segment=None) for item in found[3:]]
        assert found == expected


def test_nothing_said_is_a_text_too(tmp_path: Path) -> None:
    spoken = ["two words", "", "one"]
    utterances = [
        replace(item, text=text)
        for item, text in zip(make_speech_utterances(tmp_path, "s", 3, 1), spoken, strict=True)
    ]
    write_data_dir(tmp_path / "data", utterances)
    assert (tmp_path / "data" / "text").read_text() == "s0-0 two words\ns1-0\ns2-0 one\n"
    validate_data_dir(tmp_path / "data")
    assert [item.text for item in read_utterances(tmp_path / "data", 1)] == spoken
    write_data_dir(tmp_path / "data", [replace(utterances[0], text=None), *utterances[1:]])
    assert not (tmp_path / "data" / "text").exists()


def test_audio_that_cannot_be_read_is_left_out_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    utterances = make_speech_utterances(tmp_path / "audio", num_speakers=10)
    write_data_dir(tmp_path / "data", utterances)
    Path(utterances[0].entry).unlink()
    assert list(read_utterances(tmp_path / "data", 2)) == utterances[1:]
    assert f"{utterances[0].id}: " in caplog.text
    Path(utterances[2].entry).write_bytes(b"")
    with pytest.raises(ValueError, match=r"^2 of 20 utterances .*/data/wav\.scp"):
        list(read_utterances(tmp_path / "data", 2))


def test_entries_may_be_located_elsewhere(tmp_path: Path) -> None:
    utterances = make_speech_utterances(tmp_path / "audio", num_speakers=2)
    moved = [replace(item, entry=f"gone/{item.id}.wav") for item in utterances]
    write_data_dir(tmp_path / "data", moved)
    path = tmp_path / "audio" / "spk0" / "0.wav"
    entry = wav_entry(path, read_info(path))
    found = list(read_utterances(tmp_path / "data", 1, lambda _: entry))
    assert [item.entry for item in found] == [entry] * 4
