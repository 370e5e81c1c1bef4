"""Where somebody speaks in a recording of any length, which is read block by block."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from deep_speaker.kaldi.audio import read_samples
from deep_speaker.kaldi.audio_files import AudioFile
from deep_speaker.voices.speech import SHIFT_MS, frame_levels, mark_speech

BLOCK_SECONDS = 60  # read at once, of any recording
BRIDGED_SECONDS = 0.5  # pauses that are shorter lie within sentences
SHORTEST_SECONDS = 0.2  # what is shorter is a click or a breath
MARGIN_SECONDS = 0.1  # on both sides of a region: words begin and end faintly
FRAMES_PER_SECOND = 1000 // SHIFT_MS


class Region(NamedTuple):
    """A part of a recording, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def find_regions(file: AudioFile, rate: int) -> list[Region]:
    """Find the regions of an open recording in which somebody speaks, in order.

    Args:
        rate: in Hz, at which the recording is heard.

    Raises:
        ValueError: it cannot be decoded.
    """
    return smooth(mark_file(file, rate), file.frames / file.samplerate)


def mark_file(file: AudioFile, rate: int) -> np.ndarray:
    """Mark the frames of an open recording's channel that may be speech; see `detect_speech`."""
    levels = [frame_levels(block, rate) for block in read_blocks(file, rate)]
    return mark_speech(np.concatenate(levels)) if levels else np.zeros(0, dtype=bool)


def read_blocks(file: AudioFile, rate: int) -> Iterator[np.ndarray]:
    """Yield a recording in blocks that overlap by the rest of a frame: see `frame_levels`."""
    seconds = file.frames / file.samplerate
    overlap = 0.02  # the last frame of 25 ms begins 10 ms before the end of a block
    for start in np.arange(0, seconds, BLOCK_SECONDS):
        end = min(start + BLOCK_SECONDS + overlap, seconds)
        yield read_samples(file, rate, float(start), float(end))


def smooth(voiced: np.ndarray, seconds: float) -> list[Region]:
    """Return the regions of voiced frames: short pauses bridged, then what is short dropped.

    Args:
        voiced: bool, a frame per 10 ms, shape (frames,).
        seconds: the length of the recording.

    >>> smooth(np.repeat([False, True, False, True, False], [60, 30, 40, 10, 90]), 2.3)
    [Region(start=0.5, end=1.5)]
    """
    edges = np.flatnonzero(np.diff(voiced.astype(int), prepend=0, append=0)) / FRAMES_PER_SECOND
    starts, ends = edges[::2], edges[1::2]
    apart = starts[1:] - ends[:-1] >= BRIDGED_SECONDS
    starts, ends = starts[np.r_[True, apart][: len(starts)]], ends[np.r_[apart, True][: len(ends)]]
    return [
        Region(max(0.0, float(start) - MARGIN_SECONDS), min(float(end) + MARGIN_SECONDS, seconds))
        for start, end in zip(starts, ends, strict=True)
        if end - start >= SHORTEST_SECONDS
    ]
