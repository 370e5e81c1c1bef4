"""Two speakers in one recording: what people do in meetings, and what is a mistake."""

import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest

from deep_speaker.corpora.shared_audio import check_shared_audio
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo, wav_entry

INFO = AudioInfo(16000, 48000, 1, "WAV", "PCM_16")  # 3 s


def make(speaker: str, start: float = 0, end: float = 0, entry: str = "sph2pipe call.sph |",
         number: int = 0) -> Utterance:  # fmt: skip
    """A segment of a call, or all of it."""
    segment = Segment("call", start, end) if end else None
    return Utterance(f"{speaker}-{number}", speaker, entry, INFO, segment=segment)


@pytest.mark.parametrize("trains", [True, False])
@pytest.mark.parametrize("other", [(0.98, 2.0), (0.2, 0.8), (0.0, 0.9), (0.1, 1.0), (0, 0)])
def test_two_speakers_of_a_set_may_overlap_in_part(
    other: tuple[float, float], trains: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    utterances = [make("a", 0, 1), make("b", *other)]
    sets = (utterances, []) if trains else ([], utterances)
    check_shared_audio(*sets)
    [message] = caplog.messages
    assert message.startswith("1 pairs ")
    assert "'a-0' of 'a' (0.00 to 1.00 s)" in message
    assert "'b-0' of 'b' (" in message


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_same_span_is_no_two_speakers_s(end: float) -> None:
    both = [make("a", 0, end), make("b", 0, end and end + 1e-7)]
    times = rf"\(0\.00 to {end or 3:.2f} s\)"
    told = rf" set as 'a-0' of 'a' {times}, and the same of it as 'b-0' of 'b' {times}: remove"
    with pytest.raises(ValueError, match=r"^sph2pipe call\.sph \| .*training" + told):
        check_shared_audio(both, [])
    with pytest.raises(ValueError, match="test" + told):
        check_shared_audio([], both)


def test_lists_that_say_who_speaks_may_name_a_test_recording_twice() -> None:
    both = [make("a"), make("b")]
    check_shared_audio([], both, own_trials=True)
    with pytest.raises(ValueError, match="training set"):
        check_shared_audio(both, [], own_trials=True)


@pytest.mark.parametrize("own_trials", [True, False])
@pytest.mark.parametrize("tested", ["a", "b"])
def test_nothing_trains_and_tests(tested: str, own_trials: bool) -> None:
    """Not even of one speaker, as in a closed set; but parts beside each other do."""
    train, test = make("a", 0, 1), make(tested, 0.98, 2, number=1)
    told = (
        r"training set as 'a-0' of 'a' \(0\.00 to 1\.00 s\), and overlaps with "
        rf"'{tested}-1' of '{tested}' \(0\.98 to 2\.00 s\) of the test set"
    )
    for sets in (([train], [test]), ([train, make("c", 2, 3)], [make("0"), test])):
        with pytest.raises(ValueError, match=r"in the training set as .* of the test set"):
            check_shared_audio(*sets, own_trials)
    with pytest.raises(ValueError, match=told):
        check_shared_audio([train], [test], own_trials)
    check_shared_audio([make("a", 0, 0.1 + 0.2)], [make(tested, 0.3, 1)], own_trials)


def test_links_and_commands_lead_to_the_same_audio(tmp_path: Path) -> None:
    (tmp_path / "a.flac").touch()
    (tmp_path / "link.flac").symlink_to("a.flac")
    entries = [f"flac -c -d -s {tmp_path}/a.flac |", f"{tmp_path}/link.flac"]
    first, second = (make(name, entry=entry) for name, entry in zip("ab", entries, strict=True))
    with pytest.raises(ValueError, match=r"/a\.flac .*'a-0' .*'b-0'"):
        check_shared_audio([first], [second])
    check_shared_audio([first], [replace(second, entry=f"{tmp_path}/b.flac")])


def test_two_channels_of_a_file_are_two_recordings(tmp_path: Path) -> None:
    """However the file is named; one channel that trains and tests is refused like a file."""
    path = tmp_path / "call.wav"
    path.touch()
    (tmp_path / "link.wav").symlink_to(path)
    info = replace(INFO, num_channels=2)
    left, right = (make("a", entry=wav_entry(path, info, channel)) for channel in (0, 1))
    other_left, other_right = (
        make("b", entry=wav_entry(tmp_path / "link.wav", info, channel)) for channel in (0, 1)
    )
    check_shared_audio([left], [other_right])
    check_shared_audio([left, other_right], [])
    for sets in (([left], [other_left]), ([left, other_left], [])):
        with pytest.raises(ValueError, match=r"/call\.wav is in the training set as 'a-0' "):
            check_shared_audio(*sets)
    for sets in (([right], [other_right]), ([right, other_right], [])):
        told = r"/call\.wav \(channel 2\) is in the training set as 'a-0' "
        with pytest.raises(ValueError, match=told):
            check_shared_audio(*sets)


def test_pairs_are_counted_as_by_comparing_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    draw = random.Random(0)
    utterances = []
    for number in range(200):
        start = round(draw.uniform(0, 50), 2)
        entry = draw.choice(["one.wav", "two.wav"])
        end = round(start + draw.uniform(0.1, 3), 2)
        utterances.append(make(draw.choice("abc"), start, end, entry, number))
    check_shared_audio(utterances, [])
    expected = 0
    for i, first in enumerate(utterances):
        for second in utterances[:i]:
            assert first.segment
            assert second.segment
            start = max(first.segment.start, second.segment.start)
            end = min(first.segment.end, second.segment.end)
            same = first.entry == second.entry and first.speaker != second.speaker
            expected += same and start < end
    assert [message.split(" pairs")[0] for message in caplog.messages] == [str(expected)]
