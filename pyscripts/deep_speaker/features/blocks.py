"""Blocks of frames: an utterance that comes in pieces, padded at its ends, cut where frames begin.

The frames of a block go through all steps of a front end together: so many stay in the cache, and
a recording of any length takes little memory. Blocks lie on the same grid however the utterance was
cut into pieces, and the numbers are the same, too.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

BLOCK_FRAMES = 256
PIECE = 1 << 16  # samples


class Layout(NamedTuple):
    """How the frames of a front end lie on an utterance.

    Attributes:
        length, shift: of frames, in samples.
        left, right: samples of padding at the beginning and at the end; less than a frame.
        padding: its kind, of `numpy.pad`.
        fewest: the least number of samples that it takes.
    """

    length: int
    shift: int
    left: int
    right: int
    padding: Literal["constant", "reflect", "symmetric"]
    fewest: int = 0


def cut_blocks(pieces: Iterable[np.ndarray], layout: Layout) -> Iterator[np.ndarray]:
    """Yield the samples, padded at the ends of the utterance, of `BLOCK_FRAMES` frames each.

    The last block is of the rest. Blocks overlap by what frames do.

    Raises:
        ValueError: the utterance is too short.
    """
    length, shift, left, right, padding, fewest = layout
    held, begun = np.empty(0, dtype=np.float32), False
    for piece, last in mark_last(pieces):
        held = np.concatenate([held, piece]) if len(held) else piece
        if last and not begun and len(held) < max(fewest, 1):
            if fewest:
                raise ValueError(f"too short: {len(held)} samples, a frame takes at least {fewest}")
            return
        if not last and len(held) < 2 * length:  # enough to reflect at either end
            continue
        if last or not begun:
            held = np.pad(held, (0 if begun else left, right if last else 0), padding)
            begun = True
        num_frames = max(0, 1 + (len(held) - (0 if last else right + 1) - length) // shift)
        while num_frames >= BLOCK_FRAMES or (last and num_frames):
            count = min(BLOCK_FRAMES, num_frames)
            yield held[: (count - 1) * shift + length]
            held = held[count * shift :]
            num_frames -= count


def split_samples(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all samples of an utterance in pieces, so that no step copies them at once."""
    for start in range(0, max(1, len(samples)), PIECE):
        yield samples[start : start + PIECE]


def mark_last(pieces: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield pieces, and whether each is the last."""
    previous: np.ndarray | None = None
    for piece in pieces:
        if previous is not None:
            yield previous, False
        previous = piece
    if previous is not None:
        yield previous, True


def cut_frames(samples: np.ndarray, length: int, shift: int) -> np.ndarray:
    """Return the frames of samples, without copying them: shape (frames, length)."""
    num_frames = max(0, 1 + (len(samples) - length) // shift)
    strides = (shift * samples.strides[0], samples.strides[0])
    return np.ndarray((num_frames, length), samples.dtype, samples, 0, strides)
