"""deep-speaker track: who speaks when, printed and written."""

import json
from pathlib import Path

import numpy as np
import pytest

from support.command_lines import Command
from support.speech import make_speech, write_audio


@pytest.fixture
def meeting(command: Command) -> Path:
    """Two voices of 4 s each, one after the other, with a pause."""
    one, two, pause = make_speech(1, 4.0), make_speech(2, 4.0), np.zeros(16000)
    return write_audio(Path("the meeting.wav"), np.concatenate([one, pause, two]))


def test_everybody_is_told_apart_without_a_store(
    command: Command, model: Path, meeting: Path
) -> None:
    words = ("track", meeting, "--cluster", "--model", model, "--threshold", "0.9")
    answer = command(*words, "--output", "out")
    assert (answer.status, answer.err) == (0, "")
    assert "speaker-1" in answer.out
    assert answer.out.splitlines()[-1].startswith("Of 9.0 s: speaker-1 ")
    written = {path.name for path in Path("out").iterdir()}
    assert written == {f"the meeting.{suffix}" for suffix in ("csv", "rttm", "png", "html")}
    content = json.loads(command(*words, "--json").out)
    assert content["seconds"] == pytest.approx(9)
    ends = [0.0, *(segment["end"] for segment in content["segments"])]
    for segment, earlier in zip(content["segments"], ends, strict=False):
        assert earlier <= segment["start"] < segment["end"] <= 9.01
    assert len(answer.out.splitlines()) == len(content["segments"]) + 1


def test_who_is_enrolled_is_named(command: Command, model: Path, meeting: Path) -> None:
    assert command("enrol", "--model", model, "ana", "a.wav").status == 0  # the first voice
    content = json.loads(command("track", meeting, "--model", model, "--json").out)
    assert "ana" in {segment["speaker"] for segment in content["segments"]}


def test_the_sides_of_a_call_are_heard_one_by_one(command: Command, model: Path) -> None:
    one, two, pause = make_speech(1, 4.0), make_speech(2, 3.0), np.zeros(48000)
    sides = [np.concatenate([one, pause]), np.concatenate([0 * one, two])]
    write_audio(Path("call.wav"), np.stack(sides, axis=1))
    words = ("track", "call.wav", "--cluster", "--model", model, "--threshold", "0.9", "--json")
    spans = {}
    for channel in (1, 2):
        answer = command(*words, "--channel", str(channel))
        content = json.loads(answer.out)
        assert content["warnings"][0].startswith(f"channel {3 - channel} holds ")
        assert "deep-speaker: warning: call.wav: channel " in answer.err
        spans[channel] = [(each["start"], each["end"]) for each in content["segments"]]
    assert 0 <= spans[1][0][0] < spans[1][-1][1] < 4.3
    assert 3.7 < spans[2][0][0] < spans[2][-1][1] <= 7
    refused = command(*words, "--channel", "3")
    assert refused.status == 1
    assert refused.err.startswith("deep-speaker: error: call.wav: no channel 3: it has 2")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.wav", "--cluster"], "none.wav: no such file"),
        (["the meeting.wav"], "voices: no such folder of speakers"),
        (["the meeting.wav", "--cluster", "--speakers", "voicse"], "voicse: no such folder"),
    ],
)
def test_refusals_are_one_line(
    command: Command, model: Path, meeting: Path, words: list[str], told: str
) -> None:
    answer = command("track", *words, "--model", model)
    assert answer.status == 1
    assert told in answer.err
    assert len(answer.err.splitlines()) == 1


def test_silence_is_nobody(command: Command, model: Path) -> None:
    answer = command("track", "silence.wav", "--cluster", "--model", model)
    assert answer.out == "Of 2.0 s: nobody speaks\n"
