"""Colours of speakers, the same in the picture and on the page."""

from collections.abc import Iterable
from itertools import cycle

from deep_speaker.tracking.track import UNKNOWN

# Apart from each other to the colour-blind too (Okabe and Ito 2008, and two more).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7b5ea7", "#b22222")
GREY = "#9aa0a6"  # nobody known


def speaker_colours(speakers: Iterable[str]) -> dict[str, str]:
    """Return a colour for each speaker; after eight they come again."""
    colours = cycle(COLOURS)
    return {name: GREY if name == UNKNOWN else next(colours) for name in speakers}
