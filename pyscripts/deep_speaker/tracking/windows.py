"""Short windows within the regions of speech, and their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from deep_speaker.kaldi.audio import read_samples
from deep_speaker.kaldi.audio_files import AudioFile
from deep_speaker.tracking.regions import Region
from deep_speaker.voices.voice_model import Embedder

WINDOW_SECONDS, SHIFT_SECONDS = 1.5, 0.25
WINDOWS_AT_ONCE = 128  # of a region, which bounds the samples and frames in memory


@dataclass(frozen=True)
class Windows:
    """Windows of a recording, in order.

    Attributes:
        regions: the row of the region of each, shape (windows,).
        starts, ends: the span that each stands for, in seconds, shape (windows,): from half way to
            the window before to half way to the next, so that those of a region fill it.
        vectors: unit length, shape (windows, dim).
    """

    regions: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    vectors: np.ndarray


def embed_regions(file: AudioFile, regions: Sequence[Region], embedder: Embedder) -> Windows:
    """Embed the windows of regions of an open recording: 1.5 s each, every 0.25 s.

    A region that is shorter is one window. Of the recording, half a minute is held at a time.

    Args:
        regions: at least one.
    """
    rate = embedder.sampling_rate
    rows, starts, ends, vectors = [], [], [], []
    bar = tqdm(regions, "windows", unit="region", disable=None, leave=False)
    for row, region in enumerate(bar):
        first = window_starts(region)
        for part in np.array_split(first, -(-len(first) // WINDOWS_AT_ONCE)):
            length = min(WINDOW_SECONDS, region.seconds)
            samples = read_samples(file, rate, part[0], part[-1] + length)
            offsets = [round((start - part[0]) * rate) for start in part]
            vectors.append(embedder.embed_windows(samples, offsets, round(length * rate)))
        halves = (first[1:] + first[:-1] + WINDOW_SECONDS) / 2
        rows += [row] * len(first)
        starts += [region.start, *halves]
        ends += [*halves, region.end]
    return Windows(np.array(rows), np.array(starts), np.array(ends), np.concatenate(vectors))


def window_starts(region: Region) -> np.ndarray:
    """Return where the windows of a region begin, in seconds, shape (windows,).

    >>> window_starts(Region(2.0, 4.3)).tolist()
    [2.0, 2.25, 2.5, 2.75]
    """
    count = max(0, int((region.seconds - WINDOW_SECONDS) / SHIFT_SECONDS + 1e-6)) + 1
    return region.start + SHIFT_SECONDS * np.arange(count)
