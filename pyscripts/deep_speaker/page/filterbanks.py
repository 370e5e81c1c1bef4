"""Recordings as pictures: log mel filterbanks, and where there may be voice."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

from deep_speaker.config import KaldiFilterbank
from deep_speaker.features.front_ends import compute_frames
from deep_speaker.voices.recordings import Recording
from deep_speaker.voices.speech import detect_speech

MOST_COLUMNS = 1000  # more than a page is wide
QUIETEST_SHOWN = 5  # percentile of the energies: what is quieter is as pale
COLOURS = "GnBu"
TICKS = MaxNLocator(6, steps=[1, 2, 5, 10])  # of seconds


@dataclass(frozen=True)
class FilterbankPicture:
    """A recording as a picture; places are per cent from its left end.

    Attributes:
        name, seconds, speech: of the recording; see `Recording`.
        source: of the image, a data URI: bins rise, time goes to the right.
        voiced: start and width of each stretch of voice.
        ticks: places and labels of seconds.
        warnings: of the recording.
    """

    name: str
    seconds: float
    speech: float
    source: str
    voiced: list[tuple[float, float]]
    ticks: list[tuple[float, str]]
    warnings: list[str]


def draw_filterbanks(name: str, recording: Recording) -> FilterbankPicture:
    """Draw a recording.

    By one front end for all models, in natural logarithms: some models hear other bins.
    """
    frames = compute_frames(
        recording.samples, KaldiFilterbank(sampling_rate=recording.rate, num_mels=80)
    )[0]
    seconds = recording.seconds
    ticks = [tick for tick in TICKS.tick_values(0, seconds) if 0 <= tick <= seconds]
    return FilterbankPicture(
        name,
        seconds,
        recording.speech,
        to_image(frames),
        find_stretches(detect_speech(recording.samples, recording.rate)),
        [(100 * tick / seconds, f"{tick:g}") for tick in ticks],
        recording.warnings,
    )


def to_image(frames: np.ndarray) -> str:
    """Return frames (frames, bins) as the data URI of a PNG."""
    step = -(-len(frames) // MOST_COLUMNS)
    starts = np.arange(0, len(frames), step)
    columns = np.add.reduceat(frames, starts) / np.diff(np.r_[starts, len(frames)])[:, None]
    lowest, highest = np.percentile(columns, [QUIETEST_SHOWN, 100])
    file = io.BytesIO()
    imsave(file, columns.T, lowest, highest, COLOURS, format="png", origin="lower")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def find_stretches(voiced: np.ndarray) -> list[tuple[float, float]]:
    """Return start and width of each run of voiced frames, in per cent of all.

    >>> find_stretches(np.array([False, True, True, False]))
    [(25.0, 50.0)]
    """
    edges = np.flatnonzero(np.diff(np.r_[0, voiced.astype(int), 0]))
    return [
        (100 * float(start) / len(voiced), 100 * float(end - start) / len(voiced))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]
