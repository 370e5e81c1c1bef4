"""A picture of embeddings in two dimensions (t-SNE, van der Maaten and Hinton 2008)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from deep_speaker.archives import ArchiveTable
from deep_speaker.data_dir import group_by_speaker
from deep_speaker.tables import read_optional_table, read_table

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
