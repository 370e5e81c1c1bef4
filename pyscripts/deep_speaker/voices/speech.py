"""How much of a recording may be speech, by its energy alone.

A model embeds whatever it hears, and silence or a hum would be alike to anything of its kind. This
refuses those; it does not tell speech from music.
"""

import numpy as np

FRAME_MS, SHIFT_MS = 25, 10
BLOCK_FRAMES = 1000  # whose sums are held at a time
FULL_SCALE = 32768.0
QUIETEST_DB = -60  # below full scale: nobody speaks there
FLOOR_PERCENTILE = 10  # frames of pauses, or the quietest of speech
ABOVE_FLOOR_DB = 6
# Between the 10th and the 95th percentile of frames. Of 375 recordings of speech all have 10 dB and
# more, 99 % have 23; white noise and hums have less than 1.
SMALLEST_RANGE_DB = 8


def detect_speech(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mark the frames of 25 ms, 10 ms apart, that may be speech: bool, shape (frames,).

    Loud ones, in a recording whose level changes as that of speech does.

    Args:
        samples: on the scale of 16-bit integers, shape (num_samples,).
    """
    return mark_speech(frame_levels(samples, rate))


def mark_speech(levels: np.ndarray) -> np.ndarray:
    """Mark the frames that may be speech by their `frame_levels`; see `detect_speech`."""
    if not len(levels):
        return np.zeros(0, dtype=bool)
    floor, top = np.percentile(levels, [FLOOR_PERCENTILE, 95])
    if top - floor < SMALLEST_RANGE_DB:
        return np.zeros(len(levels), dtype=bool)
    return levels > max(QUIETEST_DB, min(floor + ABOVE_FLOOR_DB, top - SMALLEST_RANGE_DB))


def speech_seconds(samples: np.ndarray, rate: int) -> float:
    """Return how many seconds of a recording may be speech."""
    return float(detect_speech(samples, rate).sum() * SHIFT_MS / 1000)


def frame_levels(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the level of each frame in decibels below full scale, shape (frames,)."""
    length, shift = rate * FRAME_MS // 1000, rate * SHIFT_MS // 1000
    step = BLOCK_FRAMES * shift
    blocks = range(0, len(samples) - length + 1, step)
    levels = [_block_levels(samples[i : i + step + length - shift], length, shift) for i in blocks]
    return np.concatenate(levels) if levels else np.zeros(0)


def _block_levels(samples: np.ndarray, length: int, shift: int) -> np.ndarray:
    energy = np.concatenate([[0], np.cumsum(np.square(samples / FULL_SCALE, dtype=np.float64))])
    starts = np.arange(0, len(samples) - length + 1, shift)
    power = (energy[starts + length] - energy[starts]) / length
    return 10 * np.log10(np.maximum(power, 1e-12))
