"""Who is enrolled: adding, listing and removing, as HTML and sentences."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep_speaker.page.hearing import hear
from deep_speaker.page.rendering import render
from deep_speaker.voices.enrolment import find_doubts
from deep_speaker.voices.speaker_files import Speaker, clean_name
from deep_speaker.voices.speaker_store import SpeakerStore
from deep_speaker.voices.voice_model import VoiceModel

MICROPHONE = "microphone"  # the source of what was recorded on the page


def enrolled(store: SpeakerStore) -> list[Speaker]:
    """Return who is enrolled; nobody in a folder that does not exist yet.

    Raises:
        ValueError: see `SpeakerStore.speakers`.
    """
    return store.speakers() if store.folder.is_dir() else []


def enrol(
    model: VoiceModel,
    store: SpeakerStore,
    name: str,
    recorded: str | None,
    uploads: Sequence[str] | None,
) -> str:
    """Add recordings to a speaker, all or none, and say so.

    Args:
        recorded: the path of what was recorded on the page.
        uploads: paths of files.

    Raises:
        ValueError: no name, no recording, or one that is refused.
    """
    if not name.strip():
        raise ValueError("no name: say who is to be enrolled")
    name, uploads = clean_name(name), list(uploads or [])
    paths = [path for path in (recorded, *uploads) if path]
    if not paths:
        raise ValueError(f"no recording: record or choose one of {name} first")
    heard = [hear(model, path) for path in paths]
    sources = [MICROPHONE] * bool(recorded) + [Path(path).name for path in uploads]
    is_new = store.add(name, np.stack([voice.vector for voice in heard]), sources)
    known = [source for source, new in zip(sources, is_new, strict=True) if not new]
    everybody = {each.name: each for each in store.speakers()}
    speaker = everybody.pop(name)
    warnings = [
        f"{source}: {warning}"
        for source, voice in zip(sources, heard, strict=True)
        for warning in voice.recording.warnings
    ]
    warnings += find_doubts(model, speaker, everybody.values())
    total = len(speaker.vectors)
    return render(
        "enrolment", name=name, added=sum(is_new), total=total, known=known, warnings=warnings
    )


def list_speakers(store: SpeakerStore) -> str:
    """Return who is enrolled as a table; what is wrong with the folder where it cannot be read."""
    try:
        return render("speakers", speakers=enrolled(store), folder=store.folder, problem=None)
    except ValueError as error:
        return render("speakers", speakers=[], folder=store.folder, problem=str(error))


def speaker_names(store: SpeakerStore) -> list[str]:
    """Return the names of who is enrolled; none where the folder cannot be read."""
    try:
        return [speaker.name for speaker in enrolled(store)]
    except ValueError:
        return []


def describe_enrolled(store: SpeakerStore) -> str:
    """Return who may be recognised, in a line; or that nobody may."""
    return render("enrolled", names=speaker_names(store))


def remove(store: SpeakerStore, name: str | None) -> str:
    """Remove a speaker, and say so.

    Raises:
        ValueError: nobody was chosen, or is enrolled by that name.
    """
    if not name:
        raise ValueError("nobody is chosen: choose who is to be removed")
    store.remove(name)
    return render("removal", name=name)
