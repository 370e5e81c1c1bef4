"""A track as one page, on which a click on a segment plays it."""

import base64
import mimetypes
import os
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deep_speaker.system.files import replacing_file
from deep_speaker.tracking.picture import clock
from deep_speaker.tracking.styles import speaker_colours
from deep_speaker.tracking.track import Track

TEMPLATE = "timeline.html.j2"
# Bytes of a recording that the page holds itself; a longer one, ten minutes at 16 kHz, stays where
# it is, and the page asks for it there.
LARGEST_HELD = 20_000_000


def write_timeline(track: Track, path: Path) -> None:
    """Write an HTML page that needs nothing else, but for a long recording."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    held = track.audio.stat().st_size <= LARGEST_HELD
    environment.filters["clock"] = clock
    page = environment.get_template(TEMPLATE).render(
        track=track,
        colours=speaker_colours(track.speakers),
        held=held,
        source=hold(track.audio) if held else link(track.audio, path),
    )
    with replacing_file(path) as file:
        file.write(page)


def hold(audio: Path) -> str:
    """Return a recording as a data URL."""
    kind = mimetypes.guess_type(audio.name)[0] or "audio/wav"
    return f"data:{kind};base64,{base64.b64encode(audio.read_bytes()).decode()}"


def link(audio: Path, page: Path) -> str:
    """Return the URL of a recording as seen from a page."""
    return quote(os.path.relpath(audio.resolve(), page.resolve().parent))
