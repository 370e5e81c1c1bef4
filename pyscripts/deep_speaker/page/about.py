"""What a visitor should know: what is kept, and the card of the model."""

import re
from pathlib import Path

from deep_speaker.page.hearing import (
    LONGEST_SECONDS,
    LONGEST_TRACKED_SECONDS,
    MOST_MEGABYTES,
    say_seconds,
)
from deep_speaker.page.rendering import render
from deep_speaker.published.model_folder import CARD
from deep_speaker.system.files import read_utf8
from deep_speaker.voices.recordings import SHORTEST_SPEECH

LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def describe_privacy(folder: Path, minutes: int) -> str:
    """Return what is kept, where and how long, and the limits of recordings, as HTML.

    Args:
        folder: of those who are enrolled.
        minutes: after which recordings are deleted at the latest.
    """
    return render(
        "privacy",
        folder=folder,
        minutes=minutes,
        megabytes=MOST_MEGABYTES,
        longest=say_seconds(LONGEST_SECONDS),
        tracked=say_seconds(LONGEST_TRACKED_SECONDS),
        shortest=SHORTEST_SPEECH,
    )


def read_card(model: str) -> str:
    """Return the card of a model as Markdown, without the links, which lead to files beside it.

    Args:
        model: the path of its folder.
    """
    path = Path(model) / CARD
    if not path.is_file():
        return f"{model} has no card ({CARD})."
    return LINK.sub(r"\1", read_utf8(path))
