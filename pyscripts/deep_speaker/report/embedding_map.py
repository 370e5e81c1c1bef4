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
from deep_speaker.report.drawing import DPI, MUTED, PLOT_SETTINGS, to_svg
from deep_speaker.report.speaker_labels import label_speakers

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
    """Make the map of a test set; None where there are no embeddings, or too few to draw."""
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
    """Choose evenly from the sorted speakers, and from the utterances of each."""
    return [
        utterance
        for speaker in spread(list(spk2utt), MAX_SPEAKERS)
        for utterance in spread(spk2utt[speaker], MAX_UTTERANCES)
    ]


def spread(items: Sequence[str], count: int) -> list[str]:
    """Choose at most `count` of some items, evenly.

    >>> spread(list("abcdefg"), 3)
    ['a', 'd', 'g']
    """
    rows = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in rows.tolist()]


def project(vectors: np.ndarray) -> np.ndarray:
    """Project into two dimensions, where neighbours by cosine stay neighbours; always the same.

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


@matplotlib.rc_context(PLOT_SETTINGS)  # type: ignore[arg-type]
def embedding_figure(name: str, embeddings: EmbeddingMap) -> str:
    """Draw points coloured by speaker, with markers by sex where it is known."""
    figure = Figure(figsize=(1120 / DPI, 720 / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0.03, 1, 0.94))
    speakers = list(dict.fromkeys(embeddings.speakers))
    colours = dict(zip(speakers, speaker_colours(len(speakers)), strict=True))
    _draw_points(axes, embeddings, colours)
    if len(set(embeddings.sexes)) > 1:
        axes.legend(loc="upper left")
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.apply_aspect()  # now places are final
    axes.spines[:].set_visible(False)
    label_speakers(axes, embeddings.points, embeddings.speakers, colours)
    return to_svg(figure, name, "Test embeddings in two dimensions")


def speaker_colours(count: int) -> np.ndarray:
    """Return colours around the wheel, neighbours far apart, in three values: shape (count, 3)."""
    rows = np.arange(count)
    hues = (rows * 0.61803398875) % 1  # the golden ratio
    values = np.array([0.85, 0.55, 0.7])[rows % 3]
    return hsv_to_rgb(np.stack([hues, np.full(count, 0.75), values], axis=1))


def _draw_points(axes: Axes, embeddings: EmbeddingMap, colours: Mapping[str, np.ndarray]) -> None:
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
