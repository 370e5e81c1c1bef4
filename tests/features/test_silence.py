"""Silent utterances: channels and rates are told of all, and the channel that speaks is named."""

import logging
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.samples import SampleSource
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from support.odd_audio import forget_length
from support.speech import EXPERIMENT, make_speech, write_audio
from support.wav_archives import write_kaldiio_archive

SILENCE = np.zeros(6400, np.float32)
NAMES = [f"s{i}-{j}" for i in range(4) for j in range(3)]


def write_set(folder: Path, channels: dict[str, list[np.ndarray]], heard: int = 0) -> Path:
    """Write a data directory of utterances of some channels, of which one is heard; at 8 kHz."""
    utterances = []
    for key, arrays in channels.items():
        path = write_audio(folder / f"audio/{key}.wav", np.stack(arrays, axis=1), 8000)
        info = read_info(path)
        entry = wav_entry(path, info, heard)
        utterances.append(Utterance(key, key.split("-")[0], entry, info))
    write_data_dir(folder / "data", utterances)
    return folder / "data"


def test_speech_on_the_second_channel_alone_is_told_with_the_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels = {key: [SILENCE, make_speech(i)] for i, key in enumerate(NAMES)}
    told = (
        r"/data: 12 of 12 utterances are silent: channel 2 holds the speech of 12 of them: run "
        r'stage 0 anew, with --prepare-options "--channel 2" '
    )
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match=told) as error:
        compute_data_dir(write_set(tmp_path / "a", channels), EXPERIMENT, 2)
    assert "energy_threshold" not in str(error.value)
    assert "12 of 12 recordings have 2 channels, the first is used" in caplog.text
    assert "12 of 12 recordings resampled from 8000 to 16000 Hz" in caplog.text
    assert set(read_table(tmp_path / "a/data/bad_utterances").values()) == {
        "silent: no voiced frame, but some on channel 2"
    }
    caplog.clear()
    with caplog.at_level(logging.INFO):
        compute_data_dir(write_set(tmp_path / "b", channels, heard=1), EXPERIMENT, 2)
    assert "12 of 12 recordings have 2 channels, channel 2 is used" in caplog.text
    assert read_table(tmp_path / "b/data/feats.scp").keys() == set(NAMES)
    source = SampleSource(tmp_path / "b/data", 16000)
    for i, key in enumerate(NAMES):
        alone = write_audio(tmp_path / "alone.wav", make_speech(i), 8000)
        np.testing.assert_array_equal(source.read(key), load_audio(str(alone), 16000)[0])


def test_a_majority_that_is_silent_on_every_channel_needs_another_remedy(tmp_path: Path) -> None:
    channels = {key: [SILENCE, SILENCE] for key in NAMES}
    channels["s3-2"] = [SILENCE, make_speech(1)]
    told = (
        r"12 of 12 .* channel 2 holds the speech of 1 of them: .*; for the others, raise the level "
    )
    with pytest.raises(ValueError, match=told):
        compute_data_dir(write_set(tmp_path, channels), EXPERIMENT, 1)


def test_a_few_are_left_out_with_the_channel_that_speaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels = {key: [make_speech(i), SILENCE, SILENCE] for i, key in enumerate(NAMES)}
    channels["s0-1"] = [SILENCE, make_speech(1), make_speech(2)]
    channels["s1-0"] = [SILENCE, SILENCE, make_speech(3)]
    channels["s1-1"] = [SILENCE] * 3
    folder = write_set(tmp_path, channels)
    compute_data_dir(folder, EXPERIMENT, 2)
    assert read_table(folder / "bad_utterances") == {
        "s0-1": "silent: no voiced frame, but some on channel 2 and 3",
        "s1-0": "silent: no voiced frame, but some on channel 3",
        "s1-1": "silent: no voiced frame",
    }
    assert "3 of 12 utterances are silent and left out" in caplog.text
    assert "see bad_utterances; channel 3 holds the speech of 2 of them: " in caplog.text


def test_the_other_side_of_a_call_is_no_remedy_where_it_is_a_recording_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    utterances = []
    for i, key in enumerate(NAMES[:4]):
        sides = [make_speech(i) if i else SILENCE, make_speech(i + 9)]
        path = write_audio(tmp_path / f"{key}.wav", np.stack(sides, axis=1))
        for channel in (0, 1):
            speaker = f"{key.split('-')[0]}_{channel + 1}"
            entry, info = wav_entry(path, read_info(path), channel), read_info(path)
            utterances.append(Utterance(f"{speaker}-{key[-1]}", speaker, entry, info))
    utterances.sort(key=lambda item: item.id)
    write_data_dir(tmp_path / "data", utterances)
    compute_data_dir(tmp_path / "data", EXPERIMENT, 2)
    assert read_table(tmp_path / "data/bad_utterances") == {"s0_1-0": "silent: no voiced frame"}
    assert "1 of 8 utterances are silent" in caplog.text
    assert "channel 2" not in caplog.text


@pytest.mark.parametrize("form", ["command", "archive", "FLAC without length"])
def test_silent_segments_are_heard_on_the_other_channel(tmp_path: Path, form: str) -> None:
    """The speech of another segment does not count."""
    first = np.concatenate([make_speech(1), SILENCE, SILENCE])
    second = np.concatenate([SILENCE, make_speech(2), SILENCE])
    sides = np.stack([first, second], axis=1)
    path = write_audio(tmp_path / "call.wav", sides)
    entry, info = f"cat {path} |", read_info(path)
    if form == "archive":
        stored = {"call": np.rint(sides * 32768).clip(-32768, 32767).astype(np.int16)}
        (entry,) = write_kaldiio_archive(tmp_path / "a.ark", stored, None).values()
    elif form != "command":
        entry = str(forget_length(write_audio(tmp_path / "call.flac", sides)))
    utterances = [
        Utterance(f"s-{i}", "s", entry, info, segment=Segment("call", 0.4 * i, 0.4 * (i + 1)))
        for i in range(3)
    ]
    extra = write_set(tmp_path / "x", {"t-0": [make_speech(4)], "t-1": [make_speech(5)]})
    others = [
        Utterance(key, "t", each, info, segment=Segment(key, 0, 0.4))
        for key, each in read_table(extra / "wav.scp").items()
    ]
    write_data_dir(tmp_path / "data", [*utterances, *others])
    compute_data_dir(tmp_path / "data", EXPERIMENT, 1)
    assert read_table(tmp_path / "data/bad_utterances") == {
        "s-1": "silent: no voiced frame, but some on channel 2",
        "s-2": "silent: no voiced frame",
    }


def test_bad_utterances_are_told_of_their_channels_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels = {key: [make_speech(i)] * 2 for i, key in enumerate(NAMES)}
    channels["s0-0"] = [SILENCE[:9]] * 3  # less than a frame
    with caplog.at_level(logging.INFO):
        compute_data_dir(write_set(tmp_path, channels), EXPERIMENT, 1)
    assert "too short" in read_table(tmp_path / "data/bad_utterances")["s0-0"]
    assert "1 of 12 recordings have 3 channels" in caplog.text
