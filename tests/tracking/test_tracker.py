"""Who speaks when, by a model that tells four tones apart."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.tracking.track import Track
from deep_speaker.tracking.tracker import track
from deep_speaker.voices.decisions import Criterion
from support.fake_voices import pause, speak, tone_model, voice_vector
from support.odd_audio import cut_in_half
from support.speech import write_audio

ANA, BEN = {"ana": voice_vector(0)}, {"ben": voice_vector(1)}
TURNS = [(0, 4.0), (1, 3.0), (0, 5.0), (2, 6.0), (1, 4.0)]


def write_turns(path: Path, seconds_between: float) -> tuple[Path, list[tuple[float, float]]]:
    """Write `TURNS` with pauses between them, and return when each begins and ends."""
    parts, times, now = [], [], 0.0
    for voice, seconds in TURNS:
        parts += [speak(voice, seconds), pause(seconds_between)]
        times.append((now, now + seconds))
        now += seconds + seconds_between
    return write_audio(path, np.concatenate(parts)), times


def speakers_of(found: Track) -> list[str]:
    return [segment.speaker for segment in found.segments]


@pytest.mark.parametrize("seconds_between", [0.0, 0.2, 0.8])
def test_alternating_speakers_are_found(tmp_path: Path, seconds_between: float) -> None:
    path, times = write_turns(tmp_path / "a.wav", seconds_between)
    found = track(tone_model(), path, ANA | BEN, True, Criterion())
    assert speakers_of(found) == ["ana", "ben", "ana", "speaker-1", "ben"]
    # Half a shift of the windows, or the margin around speech
    spans = [(segment.start, segment.end) for segment in found.segments]
    np.testing.assert_allclose(spans, times, atol=0.23)
    assert all(segment.score is not None and segment.score > 0.9 for segment in found.segments)
    assert found.speakers["ben"] == pytest.approx(7.0, abs=0.5)


def test_others_are_unknown(tmp_path: Path) -> None:
    path, _ = write_turns(tmp_path / "a.wav", 0.8)
    found = track(tone_model(), path, ANA, False, Criterion())
    assert speakers_of(found) == ["ana", "unknown", "ana", "unknown", "unknown"]
    assert [segment.score is None for segment in found.segments] == [False, True, False, True, True]


def test_found_voices_are_numbered_by_appearance(tmp_path: Path) -> None:
    path, _ = write_turns(tmp_path / "a.wav", 0.8)
    names = ["speaker-1", "speaker-2", "speaker-1", "speaker-3", "speaker-2"]
    assert speakers_of(track(tone_model(), path, {}, True, Criterion())) == names
    # somebody enrolled keeps his name
    found = track(tone_model(), path, {"speaker-1": voice_vector(2)}, True, Criterion())
    assert speakers_of(found) == ["speaker-2", "speaker-3", "speaker-2", "speaker-1", "speaker-3"]


def test_a_voice_of_three_seconds_stays_unknown(tmp_path: Path) -> None:
    samples = np.concatenate([speak(0, 6), pause(0.8), speak(3, 3), pause(0.8), speak(0, 2)])
    path = write_audio(tmp_path / "a.wav", samples)
    found = track(tone_model(), path, ANA, True, Criterion())
    assert speakers_of(found) == ["ana", "unknown", "ana"]


@pytest.mark.parametrize("samples", [np.zeros(32000), pause(3), np.zeros(10)])
def test_silence_has_no_segments(tmp_path: Path, samples: np.ndarray) -> None:
    path = write_audio(tmp_path / "a.wav", samples)
    found = track(tone_model(), path, ANA, True, Criterion())
    assert found.segments == []
    assert found.seconds == len(samples) / 16000


def test_a_compressed_recording_that_is_cut_short_is_tracked_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    """Its header claims 40 s, and its blocks would lie behind its end."""
    speech = np.concatenate([speak(0, 12), pause(0.8), speak(1, 27)])
    path = write_audio(tmp_path / "a.mp3", speech, subtype="MPEG_LAYER_III")
    found = track(tone_model(), cut_in_half(path), ANA | BEN, False, Criterion())
    assert speakers_of(found) == ["ana", "ben"]
    assert 15 < found.segments[-1].end <= found.seconds < 25


def test_a_score_may_be_the_threshold(tmp_path: Path) -> None:
    path, _ = write_turns(tmp_path / "a.wav", 0.8)
    blend = (voice_vector(0) + 2 * voice_vector(1)) / np.sqrt(5)  # 0.89 like ben, 0.45 like ana
    for score, expected in ((0.7, "ben"), (0.95, "unknown")):
        criterion = Criterion(score=score)
        found = track(tone_model(), path, {"ben": blend}, False, criterion)
        assert found.threshold == score
        assert speakers_of(found)[1] == expected
        uncalibrated = track(tone_model(calibrated=False), path, {"ben": blend}, False, criterion)
        assert speakers_of(uncalibrated) == speakers_of(found)


def test_what_is_heard_of_somebody_counts_as_an_example(tmp_path: Path) -> None:
    """Somebody is enrolled by a poor example; the mean of it and of what is heard is close."""
    path, _ = write_turns(tmp_path / "a.wav", 0.8)
    poor = 0.62 * voice_vector(0) + 0.78 * voice_vector(3)
    found = track(tone_model(), path, {"ana": poor}, False, Criterion())
    assert speakers_of(found) == ["ana", "unknown", "ana", "unknown", "unknown"]
    score = found.segments[0].score
    assert score is not None and score > 0.85


def test_mistakes_are_named(tmp_path: Path) -> None:
    path, _ = write_turns(tmp_path / "a.wav", 0.8)
    with pytest.raises(ValueError, match=r"tones is not calibrated .* --threshold"):
        track(tone_model(calibrated=False), path, ANA, False, Criterion())
    with pytest.raises(ValueError, match=r"nobody is enrolled: enrol speakers, or .* --cluster"):
        track(tone_model(), path, {}, False, Criterion())
    with pytest.raises(ValueError, match=r"b\.wav: no such file"):
        track(tone_model(), tmp_path / "b.wav", ANA, False, Criterion())
    (tmp_path / "c.wav").write_text("no audio")
    with pytest.raises(ValueError, match=r"c\.wav: unreadable: .*: convert it to WAV or FLAC"):
        track(tone_model(), tmp_path / "c.wav", ANA, False, Criterion())
