"""Who speaks when, on the page."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from deep_speaker.page.tracking import draw_track, track_speakers
from deep_speaker.tracking.track import Segment, Track
from deep_speaker.voices.speaker_store import SpeakerStore
from support.voice_models import make_voice_model
from support.voice_recordings import write_voice


def test_segments_lie_in_the_lane_of_their_speaker() -> None:
    segments = [Segment(0, 10, "ana", 0.8), Segment(10, 20, "<b>", None), Segment(30, 40, "ana", 1)]
    html = draw_track(Track(Path("a.wav"), 40.0, 0.5, segments))
    ana, other = html.split('<div class="ds-lane">')[1:]
    places = re.compile(r"left: ([\d.]+)%; width: ([\d.]+)%")
    assert places.findall(ana) == [("0.000", "25.000"), ("75.000", "25.000")]
    assert places.findall(other) == [("25.000", "25.000")]
    assert 'title="&lt;b&gt;, 0:10 to 0:20"' in other
    rttm = re.search('charset=utf-8,([^"]*)', html)
    assert rttm
    assert unquote(rttm[1]).splitlines()[0] == ("SPEAKER a 1 0.000 10.000 <NA> <NA> ana <NA> <NA>")


def test_silence_has_nobody() -> None:
    assert "Nobody speaks" in draw_track(Track(Path("a.wav"), 3.0, 0.5, []))


def test_there_must_be_somebody_to_look_for(tmp_path: Path) -> None:
    model = make_voice_model()
    store = SpeakerStore(tmp_path / "voices", model.id, model.name)
    audio = str(write_voice(tmp_path / "a.wav", 1, 0))
    with pytest.raises(ValueError, match="nobody is enrolled: enrol somebody, or tell apart"):
        track_speakers(model, store, audio, False)
    long = str(write_voice(tmp_path / "long.wav", 1, 0, seconds=601))
    with pytest.raises(ValueError, match="10 min 1 s long: give at most 10 min here"):
        track_speakers(model, store, long, True)
