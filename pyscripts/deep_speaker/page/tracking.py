"""Who speaks when in a recording, as HTML."""

from urllib.parse import quote

from matplotlib.ticker import MaxNLocator

from deep_speaker.page.enrolment import enrolled
from deep_speaker.page.hearing import LONGEST_TRACKED_SECONDS, check_recording, name_only
from deep_speaker.page.rendering import render
from deep_speaker.tracking.picture import clock
from deep_speaker.tracking.styles import speaker_colours
from deep_speaker.tracking.tables import format_rttm
from deep_speaker.tracking.track import Track
from deep_speaker.tracking.tracker import track
from deep_speaker.voices.decisions import Criterion
from deep_speaker.voices.speaker_store import SpeakerStore
from deep_speaker.voices.voice_model import VoiceModel

TICKS = MaxNLocator(7, steps=[1, 2, 3, 6, 10])


def track_speakers(
    model: VoiceModel, store: SpeakerStore, audio: str | None, cluster: bool
) -> str:  # fmt: skip
    """Answer about an upload.

    Args:
        cluster: tell those apart who are not enrolled.

    Raises:
        ValueError: the recording is missing or refused, or there is nobody to look for.
    """
    path = check_recording(audio, LONGEST_TRACKED_SECONDS, "a conversation")
    vectors = {speaker.name: speaker.vectors for speaker in enrolled(store)}
    if not vectors and not cluster:
        raise ValueError("nobody is enrolled: enrol somebody, or tell apart those who are not")
    try:
        return draw_track(track(model, path, vectors, cluster, Criterion()))
    except ValueError as error:
        raise ValueError(name_only(error, path)) from error


def draw_track(found: Track) -> str:
    """Draw a track: a lane per speaker, a table, and its RTTM to download."""
    ticks = [tick for tick in TICKS.tick_values(0, found.seconds) if 0 <= tick <= found.seconds]
    return render(
        "timeline",
        track=found,
        colours=speaker_colours(found.speakers),
        clock=clock,
        ticks=[(100 * tick / found.seconds, clock(tick)) for tick in ticks],
        rttm=quote(format_rttm(found)),
    )
