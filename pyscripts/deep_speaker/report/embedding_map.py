"""A picture of embeddings in two dimensions (t-SNE, van der Maaten and Hinton 2008)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.tables import read_optional_table, read_table
from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.report.drawing import DPI, MUTED, STYLE, to_svg

MAX_SPEAKERS = 40
MAX_UTTERANCES = 50  # of each
MIN_POINTS = 5


class EmbeddingMap(NamedTuple):
    """Points of utterances, shape (utterances, 2), with their speakers and sexes ("" unknown)."""

    points: np.ndarray
    speakers: list[str]
    sexes: list[str]
    num_speakers: int  # of the whole test set
    num_utterances: int


def embedding_map(xvector_dir: Path, data_dir: Path) -> EmbeddingMap | None:
    """The map of a test set; None where there are no embeddings, or too few to draw."""
    scp = xvector_dir / "xvector.scp"
    if not scp.is_file():
        return None
    utt2spk = read_table(data_dir / "utt2spk")
    table = ArchiveTable(scp)
    known = {key: utt2spk[key] for key in table if key in utt2spk}
    chosen = choose_utterances(group_by_speaker(known))
    if len(chosen) < MIN_POINTS:
        return None
    points = project(np.stack([table.rows(key) for key in chosen]))
    speakers = [known[key] for key in chosen]
    sex = read_optional_table(data_dir / "spk2gender")
    sexes = [sex.get(speaker, "") for speaker in speakers]
    return EmbeddingMap(points, speakers, sexes, len(set(known.values())), len(known))


def choose_utterances(spk2utt: dict[str, list[str]]) -> list[str]:
    """Evenly over the sorted speakers, and over the utterances of each."""
    return [
        utterance
        for speaker in spread(list(spk2utt), MAX_SPEAKERS)
        for utterance in spread(spk2utt[speaker], MAX_UTTERANCES)
    ]


def spread(items: Sequence[str], count: int) -> list[str]:
    """At most `count` of some items, evenly.

    >>> spread(list("abcdefg"), 3)
    ['a', 'd', 'g']
    """
    rows = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in rows.tolist()]


def project(vectors: np.ndarray) -> np.ndarray:
    """Two dimensions in which neighbours by cosine stay neighbours; the same in every run.

    Args:
        vectors: shape (utterances, dim).

    Returns:
        Shape (utterances, 2); the axes have no unit.
    """
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    model = TSNE(metric="cosine", perplexity=perplexity, init="pca", random_state=0)
    with threadpool_limits(1):  # several threads add up in another order each time
        return model.fit_transform(vectors.astype(np.float32))


MARKERS = {"f": ("o", "female"), "m": ("^", "male"), "": ("s", "sex not known")}
ONE_MARKER = {"": ("o", "")}


@matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
def embedding_figure(name: str, embeddings: EmbeddingMap) -> str:
    """Points coloured by speaker, with markers by sex where it is known."""
    figure = Figure(figsize=(1120 / DPI, 720 / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0.03, 1, 0.94))
    speakers = list(dict.fromkeys(embeddings.speakers))
    colours = dict(zip(speakers, speaker_colours(len(speakers)), strict=True))
    of_points = np.array([colours[speaker] for speaker in embeddings.speakers])
    sexes = np.array(embeddings.sexes)
    for sex, (marker, label) in (MARKERS if any(embeddings.sexes) else ONE_MARKER).items():
        chosen = sexes == sex
        if chosen.any():
            axes.scatter(
                embeddings.points[chosen, 0], embeddings.points[chosen, 1],
                s=30, c=of_points[chosen], marker=marker, linewidths=0, alpha=0.8,
            )  # fmt: skip
            axes.scatter([], [], s=36, color=MUTED, marker=marker, label=label)
    if len(set(embeddings.sexes)) > 1:
        axes.legend(loc="upper left")
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.apply_aspect()  # now places are final
    axes.spines[:].set_visible(False)
    label_speakers(axes, embeddings, colours)
    return to_svg(figure, name, "Test embeddings in two dimensions")


def speaker_colours(count: int) -> np.ndarray:
    """Colours around the wheel, neighbours far apart and of three values in turn: (count, 3)."""
    rows = np.arange(count)
    hues = (rows * 0.61803398875) % 1  # the golden ratio
    values = np.array([0.85, 0.55, 0.7])[rows % 3]
    return hsv_to_rgb(np.stack([hues, np.full(count, 0.75), values], axis=1))


def label_speakers(axes: Axes, embeddings: EmbeddingMap, colours: Mapping[str, np.ndarray]) -> None:
    """Each speaker's id beside his points, its end where it is long, where there is place."""
    names = np.array(embeddings.speakers)
    pixels = axes.transData.transform(embeddings.points)
    taken: list[np.ndarray] = []  # boxes: left, bottom, right, top
    for speaker, colour in colours.items():
        label = speaker if len(speaker) <= 10 else f"…{speaker[-9:]}"
        own = pixels[names == speaker]
        middle = np.median(own, axis=0)
        own = own[np.abs(own - middle).max(axis=1) < 60]  # strays shall not carry the label off
        if not len(own):
            own = middle[None]
        size = np.array([6.4 * len(label), 13.0])
        box = free_box(own.min(axis=0), own.max(axis=0), size, taken, pixels)
        taken.append(box)
        place = axes.transData.inverted().transform((box[:2] + box[2:]) / 2)
        axes.text(
            place[0], place[1], label, color=0.6 * colour, fontsize=11, ha="center", va="center"
        )


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
