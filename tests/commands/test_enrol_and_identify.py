"""deep-speaker enrol, speakers and identify, from the first example to a stream."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deep_speaker.voices.voice_model import VoiceModel
from support.command_lines import Command
from support.speech import RATE, make_speech, write_audio
from support.voice_models import write_voice_model


@pytest.fixture
def enrolled(command: Command, model: Path) -> Command:
    """Ana Müller by a.wav, and Bo by b.flac."""
    assert command("enrol", "--model", model, "Ana Müller", "a.wav").status == 0
    assert command("enrol", "--model", model, "Bo", "b.flac").status == 0
    return command


def test_enrolled_speakers_are_listed_renamed_and_removed(enrolled: Command, model: Path) -> None:
    assert enrolled("speakers", "list").out.splitlines() == [
        f"Ana Müller: 1 by {model} (a.wav)", f"Bo: 1 by {model} (b.flac)"
    ]  # fmt: skip
    assert enrolled("speakers", "rename", "Bo", "Bo/😀").out == "Bo: now Bo/😀\n"
    content = json.loads(enrolled("speakers", "list", "--json").out)
    assert [each["name"] for each in content] == ["Ana Müller", "Bo/😀"]
    assert content[0]["sources"] == ["a.wav"]
    assert enrolled("speakers", "remove", "Bo/😀").status == 0
    assert json.loads(enrolled("speakers", "remove", "Ana Müller", "--json").out) == {
        "removed": "Ana Müller"
    }
    assert enrolled("speakers", "list").out == "Nobody is enrolled in voices.\n"


def test_a_recording_in_another_format_counts_once(enrolled: Command, model: Path) -> None:
    write_audio(Path("again.flac"), make_speech(1, 2.0))
    write_audio(Path("new.wav"), make_speech(3, 2.0))
    words = ("enrol", "--model", model, "Ana Müller", "again.flac", "new.wav")
    assert enrolled(*words).out.splitlines() == [
        "again.flac: enrolled already, not counted twice",
        "Ana Müller: 1 added, 2 in voices",
    ]
    content = json.loads(enrolled(*words, "--json").out)
    assert (content["added"], content["examples"]) == (0, 2)
    assert content["known_already"] == ["again.flac", "new.wav"]


def test_examples_that_sound_unlike_are_warned_of(
    command: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.2])  # of the first with the second, and of the second with the first
    monkeypatch.setattr(VoiceModel, "score", lambda *_: np.array([[next(scores)]]))
    answer = command("enrol", "--model", model, "Ana", "a.wav", "b.flac")
    assert answer.status == 0
    (line,) = answer.err.splitlines()
    assert "b.flac: unlike the other recordings of Ana (score 0.200, below 0.500)" in line


def test_somebody_who_is_enrolled_under_another_name_is_warned_of(
    enrolled: Command, model: Path
) -> None:
    answer = enrolled("enrol", "--model", model, "Ana", "a.wav")  # the recording of Ana Müller
    assert answer.status == 0
    assert "Ana sounds like Ana Müller, who is enrolled (score 1.000)" in answer.err


def test_a_refused_recording_enrols_nobody(command: Command, model: Path) -> None:
    answer = command("enrol", "--model", model, "Ana", "a.wav", "silence.wav")
    assert answer.status == 1
    assert answer.err.startswith("deep-speaker: error: silence.wav: no voice")
    assert not Path("voices").exists()


def test_audio_is_kept_only_when_asked(command: Command, model: Path) -> None:
    command("enrol", "--model", model, "--speakers", "here", "Ana", "a.wav")
    assert not list(Path("here").glob("*.wav"))
    command("enrol", "--model", model, "--speakers", "here", "--keep-audio", "Ana", "a.wav")
    (kept,) = Path("here").glob("*.wav")
    assert kept.read_bytes() == Path("a.wav").read_bytes()


def test_identify_ranks_the_enrolled(enrolled: Command, model: Path) -> None:
    """Scores of 1.000 and nearly that: ratios of e^5 both, a prior of 1/4 each, 1/2 for nobody."""
    answer = enrolled("identify", "--model", model, "a.wav", "b.flac", "b.flac")
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert lines[0] == "a.wav: Ana Müller"
    assert lines[1].startswith("  Ana Müller  score  1.000, probability 49.")
    assert lines[2].startswith("  Bo          score  1.000, probability 49.")
    assert lines[3] == "  nobody who is enrolled, probability 0.7 %"
    assert lines[4] == "b.flac: Bo"
    assert lines[12] == "Threshold 0.569, for 2 enrolled."
    assert lines[14].startswith("So about 16.5 % of unknown voices")  # 0.0862 each, twice
    stranger = enrolled("identify", "--model", model, "--threshold", "1.1", "a.wav").out
    assert stranger.startswith("a.wav: nobody who is enrolled\n")


def test_identify_answers_in_json_and_goes_on_after_a_refusal(
    enrolled: Command, model: Path
) -> None:
    answer = enrolled("identify", "--json", "--model", model, "silence.wav", "b.flac")
    assert answer.status == 1
    refused, found = json.loads(answer.out)
    assert refused["file"] == "silence.wav"
    assert refused["refused"].startswith("silence.wav: no voice")
    assert (found["file"], found["name"], found["decided"]) == ("b.flac", "Bo", True)
    assert sum(each["probability"] for each in found["candidates"]) + found["nobody"] == (
        pytest.approx(1)
    )
    assert {each["name"] for each in found["candidates"]} == {"Bo", "Ana Müller"}
    assert found["warnings"] == []


def test_nobody_enrolled_or_another_model_is_refused(
    enrolled: Command, model: Path, tmp_path: Path
) -> None:
    nowhere = enrolled("identify", "--model", model, "--speakers", "none", "a.wav")
    assert nowhere.status == 1
    assert nowhere.err == (
        "deep-speaker: error: none: no such folder of speakers: enrol somebody into it first\n"
    )
    other = write_voice_model(tmp_path / "other", seed=1)
    refused = enrolled("identify", "--model", other, "a.wav")
    assert refused.status == 1
    assert str(model) in refused.err and str(other) in refused.err
    assert len(refused.err.splitlines()) == 1
    both = enrolled("identify", "--model", model, "--stream", "a.wav")
    neither = enrolled("identify", "--model", model)
    assert both.status == neither.status == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_a_stream_names_who_speaks_each_second(
    enrolled: Command, model: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Ana speaks for 2 s; after 3 s of silence nothing of that is left in the window."""
    samples = np.concatenate([make_speech(1, 2.0), np.zeros(4 * RATE)])
    content = np.round(samples * 32767).astype("<i2").tobytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content + bytes(100))))
    words = ["--json"] if as_json else []
    lines = enrolled("identify", "--model", model, "--stream", *words).out.splitlines()
    assert len(lines) == 6
    if as_json:
        answers = [json.loads(line) for line in lines]
        assert [each["seconds"] for each in answers] == [1, 2, 3, 4, 5, 6]
        assert [each.get("decided") for each in answers] == [None, True, True, None, None, None]
        assert len(answers[1]["candidates"]) == 2
    else:
        assert lines[0] == "    1 s  (too little voice)"
        assert "(best " in lines[1]
        assert lines[5] == "    6 s  (too little voice)"
