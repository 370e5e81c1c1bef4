"""Commands that print audio for other programs, where they cannot read it as a file."""

import shlex

from deep_speaker.kaldi.audio_bytes import OPEN_HEADER, Place, find_archived
from deep_speaker.kaldi.wav_entries import (
    FFMPEG_SUFFIXES,
    AudioInfo,
    archive_of_entry,
    file_of_entry,
    wav_entry,
)


def printing_command(entry: str, info: AudioInfo) -> str | None:
    """Return the shell command that prints an entry's audio, so that any reader of files reads it.

    None: libsndfile reads the file at any place by itself.
    """
    archived = archive_of_entry(entry)
    if archived:
        place = find_archived(*archived)
        return print_part(place, info)
    path = file_of_entry(entry)
    if path is None:
        return entry.removesuffix("|").strip()
    if info.plain and path.suffix.lower() not in FFMPEG_SUFFIXES:
        return None
    entry = wav_entry(path, info)
    if entry.endswith("|"):
        return entry.removesuffix("|").strip()
    return print_part(Place(path.absolute(), 0), info)


def print_part(place: Place, info: AudioInfo) -> str:
    """Return the command that prints a part of a file, with a header that libsndfile reads."""
    begin, name = place.begin, shlex.quote(str(place.path))
    head = ""
    if not info.plain and info.format in ("WAV", "WAVEX"):
        head, begin = r"printf 'RIFF\010\000\000\000'; ", begin + len(OPEN_HEADER)
    command = f"{head}tail -c +{begin + 1} {name}"
    return command if place.end is None else f"{command} | head -c {place.end - begin}"
