"""Where labels stand in a plot, out of each other's way."""

from collections.abc import Sequence

import numpy as np

POINT_AREA = 30  # that a point takes, in square pixels
GAP = 4  # pixels between a label and what it names


def free_box(
    low: np.ndarray, high: np.ndarray, size: np.ndarray, taken: Sequence[np.ndarray],
    points: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The place above, below, right or left of a cluster that covers least of what is there.

    Args:
        low: left and bottom of the cluster, in pixels.
        high: right and top.
        size: width and height of the label.
        taken: labels that stand already: left, bottom, right, top of each.
        points: shape (points, 2).

    Returns:
        Left, bottom, right, top.
    """
    middle, half = (low + high) / 2, size / 2
    centres = [
        (middle[0], high[1] + GAP + half[1]),
        (middle[0], low[1] - GAP - half[1]),
        (high[0] + GAP + half[0], middle[1]),
        (low[0] - GAP - half[0], middle[1]),
    ]

    def covered(box: np.ndarray) -> float:
        inside = ((points >= box[:2]) & (points <= box[2:])).all(axis=1).sum()
        return sum(overlap(box, other) for other in taken) + POINT_AREA * float(inside)

    return min((np.concatenate([c - half, c + half]) for c in np.array(centres)), key=covered)


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """The area that two boxes share.

    >>> overlap(np.array([0, 0, 2, 2]), np.array([1, 1, 5, 4]))
    1.0
    """
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)))
