"""Whether two recordings have one voice, as HTML."""

from deep_speaker.page.filterbanks import draw_filterbanks
from deep_speaker.page.hearing import hear
from deep_speaker.page.rendering import render
from deep_speaker.page.score_scale import draw_scale
from deep_speaker.voices.voice_model import VoiceModel

NAMES = ("first recording", "second recording")


def verify(model: VoiceModel, one: str | None, other: str | None) -> str:
    """Answer about two uploads.

    Raises:
        ValueError: one is missing or refused; see `hear`.
    """
    audios = (one, other)
    voices = [hear(model, audio, f"the {name}") for audio, name in zip(audios, NAMES, strict=True)]
    score = float(model.score([voices[0].vector[None]], voices[1].vector[None])[0, 0])
    decision = model.decide(score)
    table = model.scoring.decisions
    scale = None
    if table is not None and decision.threshold is not None:
        scale = draw_scale(table, score, decision.threshold)
    pictures = [
        draw_filterbanks(name.capitalize(), voice.recording)
        for name, voice in zip(NAMES, voices, strict=True)
    ]
    return render("verification", decision=decision, scale=scale, pictures=pictures)
