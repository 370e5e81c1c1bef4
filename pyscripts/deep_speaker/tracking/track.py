"""A track: who speaks when in a recording."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

UNKNOWN = "unknown"


class Segment(NamedTuple):
    """A part of a recording in which one person speaks.

    Attributes:
        start, end: seconds.
        speaker: the name of somebody enrolled, `speaker-1` and so on, or `unknown`.
        score: of the whole segment with the speaker, by the model's back end; None: unknown.
    """

    start: float
    end: float
    speaker: str
    score: float | None

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Track:
    """Who speaks when in a recording.

    Attributes:
        audio: the recording.
        seconds: its length.
        threshold: the score from which on a window speaks for somebody.
        segments: in order, without overlap.
        warnings: what is to be known of it.
    """

    audio: Path
    seconds: float
    threshold: float
    segments: list[Segment]
    warnings: list[str] = field(default_factory=list)

    @property
    def speakers(self) -> dict[str, float]:
        """The seconds of each speaker, in the order of appearance."""
        found: dict[str, float] = {}
        for segment in self.segments:
            found[segment.speaker] = found.get(segment.speaker, 0) + segment.seconds
        return found
