"""A track as tables: CSV for spreadsheets, RTTM for other programs."""

import csv
import re
from pathlib import Path
from urllib.parse import quote

from deep_speaker.system.files import replacing_file
from deep_speaker.tracking.track import Track

COLUMNS = ("start", "end", "speaker", "score")


def write_csv(track: Track, path: Path) -> None:
    """Write a line for each segment: seconds, the speaker, the score (empty: unknown)."""
    with replacing_file(path) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for start, end, speaker, score in track.segments:
            shown = "" if score is None else f"{score:.3f}"
            lines.writerow([f"{start:.3f}", f"{end:.3f}", speaker, shown])


def write_rttm(track: Track, path: Path) -> None:
    """Write `format_rttm`."""
    with replacing_file(path) as file:
        file.write(format_rttm(track))


def format_rttm(track: Track) -> str:
    """Return Rich Transcription Time Marked lines (NIST 2009), one for each segment.

    The recording is named by its file name without suffix. White space and per cent signs of names
    become %20 and the like: fields are separated by spaces.
    """
    recording = escape(track.audio.stem)
    # start and length, as in Kaldi's segments; <NA>: text, kind, confidence, look-ahead
    return "".join(
        f"SPEAKER {recording} 1 {segment.start:.3f} {segment.seconds:.3f} <NA> <NA> "
        f"{escape(segment.speaker)} <NA> <NA>\n"
        for segment in track.segments
    )


def escape(name: str) -> str:
    """Return a name as one field.

    >>> escape("Ana María, 50%")
    'Ana%20María,%2050%25'
    """
    return re.sub(r"[\s%]", lambda match: quote(match[0]), name)
