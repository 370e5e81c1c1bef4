"""Who of the enrolled speaks in a recording, as HTML."""

from deep_speaker.page.enrolment import enrolled
from deep_speaker.page.filterbanks import draw_filterbanks
from deep_speaker.page.hearing import hear
from deep_speaker.page.rendering import render
from deep_speaker.voices.identification import Candidate, Identification, identify
from deep_speaker.voices.speaker_store import SpeakerStore
from deep_speaker.voices.voice_model import VoiceModel

SHOWN = 10  # candidates, the best first


def identify_speaker(model: VoiceModel, store: SpeakerStore, audio: str | None) -> str:
    """Answer about an upload.

    Raises:
        ValueError: nobody is enrolled, or the recording is missing or refused; see `hear`.
    """
    speakers = enrolled(store)
    if not speakers:
        raise ValueError("nobody is enrolled, so nobody can be recognised: enrol somebody first")
    voice = hear(model, audio, "the voice to be recognised")
    found = identify(model, speakers, voice.vector)
    return render(
        "identification",
        found=found,
        rows=rank(found),
        left_out=max(0, len(found.candidates) - SHOWN),
        picture=draw_filterbanks("The recording", voice.recording),
    )


def rank(found: Identification) -> list[tuple[Candidate, bool]]:
    """Return the best candidates, and nobody among them, with whether each is somebody."""
    rows = [(candidate, True) for candidate in found.candidates[:SHOWN]]
    if found.nobody is not None:
        nobody = Candidate("nobody who is enrolled", found.decision.score, None, found.nobody)
        place = sum((candidate.probability or 0) >= found.nobody for candidate, _ in rows)
        rows.insert(place, (nobody, False))
    return rows
