"""deep-speaker verify: answers in words and JSON, warnings, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest

from support.command_lines import Command
from support.speech import make_speech, write_audio
from support.voice_models import write_voice_model


def test_the_answer_comes_with_its_error_rates(command: Command, model: Path) -> None:
    answer = command("verify", "--model", model, "a.wav", "a.wav")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "The same voice.",
        "score 1.000, threshold 0.500, log likelihood ratio 5.00, probability 99.3 % (prior 50 %)",
        "At this threshold, on 7 held-out speakers: 10.0 % false alarms (two voices taken for one),"
        " 20.0 % misses (one voice taken for two).",
    ]


def test_the_exit_status_is_0_for_different_voices_too(command: Command, model: Path) -> None:
    answer = command("verify", "--model", model, "--threshold", "1.1", "a.wav", "b.flac")
    assert answer.status == 0
    assert answer.out.startswith("Different voices.\n")


def test_another_channel_is_heard_on_request(command: Command, model: Path) -> None:
    sides = np.stack([np.zeros(32000, np.float32), make_speech(1, 2.0)], axis=1)
    write_audio(Path("call.wav"), sides)
    refused = command("verify", "--model", model, "call.wav", "call.wav")
    assert refused.status == 1
    assert "but channel 2 holds 1." in refused.err
    assert len(refused.err.splitlines()) == 1
    vectors = []
    for name, channel in (("a.wav", 1), ("call.wav", 2)):  # one voice
        words = ("embed", "--model", model, "--output", "x.csv", "--channel", str(channel), name)
        assert command(*words).status == 0
        vectors.append(Path("x.csv").read_text().splitlines()[-1].split(",")[1:])
    assert vectors[0] == vectors[1]
    for asked in ("verify call.wav call.wav", "enrol ana call.wav", "identify call.wav"):
        answer = command(*asked.split(), "--channel", "2", "--model", model)
        assert (answer.status, answer.err) == (0, ""), asked
    answer = command("identify", "--stream", "--channel", "2", "--model", model)
    assert answer.err == (
        "deep-speaker: error: --channel is for recordings: --stream takes one channel\n"
    )


def test_json_holds_all_of_it(command: Command, model: Path) -> None:
    words = ("verify", "--json", "--model", model, "--false-alarms", "0.3")
    content = json.loads(command(*words, "a.wav", "b.flac").out)
    assert content["same"] is True
    assert content["threshold"] == 0.5
    assert content["llr"] == pytest.approx(10 * content["score"] - 5)
    assert (content["false_alarm_rate"], content["miss_rate"]) == (0.1, 0.2)
    assert content["measured"] == {"speakers": 7, "target": 100, "nontarget": 1000}
    assert content["recordings"] == [
        {"file": "a.wav", "warnings": []}, {"file": "b.flac", "warnings": []}
    ]  # fmt: skip
    assert content["model"] == str(model)


def test_warnings_name_the_recording(command: Command, model: Path) -> None:
    write_audio(Path("telephone.wav"), make_speech(1, 2.0, 8000), 8000)
    write_audio(Path("clipped.wav"), np.clip(30 * make_speech(1, 2.0), -1, 1))
    answer = command("verify", "--model", model, "telephone.wav", "clipped.wav")
    lines = answer.err.splitlines()
    assert lines[0].startswith("deep-speaker: warning: telephone.wav: sampled at 8000 Hz")
    assert lines[1].startswith("deep-speaker: warning: clipped.wav: ")
    assert answer.status == 0


@pytest.mark.parametrize("place", [0, 1])
def test_silence_is_refused_by_name(command: Command, model: Path, place: int) -> None:
    files = ["a.wav", "a.wav"]
    files[place] = "silence.wav"
    answer = command("verify", "--model", model, *files)
    assert (answer.status, answer.out) == (1, "")
    (line,) = answer.err.splitlines()
    assert line.startswith("deep-speaker: error: silence.wav: no voice in its 2.0 s")


def test_a_model_without_calibration_gives_scores_alone(command: Command, tmp_path: Path) -> None:
    model = write_voice_model(tmp_path / "model", table=None)
    undecided = command("verify", "--model", model, "a.wav", "a.wav").out.splitlines()
    assert undecided[:2] == ["Not decided.", "score 1.000"]
    assert "not calibrated" in undecided[2] and "--threshold" in undecided[2]
    given = command("verify", "--model", model, "--threshold", "0.5", "a.wav", "a.wav").out
    assert given.startswith("The same voice.\nscore 1.000, threshold 0.500\nHow often")
    refused = command("verify", "--model", model, "--prior", "0.1", "a.wav", "a.wav")
    assert refused.status == 1
    assert "not calibrated" in refused.err
