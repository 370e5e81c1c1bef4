"""Labels beside the clusters of a plot, out of each other's way."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

LONGEST = 10  # letters of a label
STRAY = 60  # pixels from the middle of a cluster: what is beyond shall not carry its label off
POINT_AREA = 30  # that a point takes, in square pixels
GAP = 4  # pixels between a label and what it names


def label_speakers(
    axes: Axes, points: np.ndarray, speakers: Sequence[str], colours: Mapping[str, np.ndarray]
) -> None:
    """Write each speaker's id, its end where it is long, beside his points where there is place.

    Args:
        points: places on the axes, shape (points, 2).
        speakers: of the points.
        colours: by speaker.
    """
    names = np.array(speakers)
    pixels = axes.transData.transform(points)
    taken: list[np.ndarray] = []  # boxes: left, bottom, right, top
    for speaker, colour in colours.items():
        label = speaker if len(speaker) <= LONGEST else f"…{speaker[1 - LONGEST :]}"
        size = np.array([6.4 * len(label), 13.0])
        box = free_box(*cluster_box(pixels[names == speaker]), size, taken, pixels)
        taken.append(box)
        x, y = axes.transData.inverted().transform((box[:2] + box[2:]) / 2)
        axes.text(x, y, label, color=0.6 * colour, fontsize=11, ha="center", va="center")


def cluster_box(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of a cluster (points, 2), lower left and upper right, without strays."""
    middle = np.median(pixels, axis=0)
    near = pixels[np.abs(pixels - middle).max(axis=1) < STRAY]
    if not len(near):
        near = middle[None]
    return near.min(axis=0), near.max(axis=0)


def free_box(
    low: np.ndarray, high: np.ndarray, size: np.ndarray, taken: Sequence[np.ndarray],
    points: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Choose the place above, below, right or left of a cluster that covers the least.

    Args:
        low: left and bottom of the cluster, in pixels.
        high: right and top.
        size: width and height of the label.
        taken: labels that are there already: left, bottom, right, top of each.
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
        return sum(shared_area(box, other) for other in taken) + POINT_AREA * float(inside)

    return min((np.concatenate([c - half, c + half]) for c in np.array(centres)), key=covered)


def shared_area(box: np.ndarray, other: np.ndarray) -> float:
    """Return the area that two boxes share.

    >>> shared_area(np.array([0, 0, 2, 2]), np.array([1, 1, 5, 4]))
    1.0
    """
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.prod(np.maximum(sides, 0)))
