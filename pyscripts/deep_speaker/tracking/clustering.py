"""The voices among windows that nobody enrolled is heard in."""

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.tracking.windows import Windows
from deep_speaker.voices.voice_model import VoiceModel

# Of a piece, 2.5 s: the calibrated threshold divides pieces of such a length best. The scores of
# single windows are lower, so that one voice falls into many clusters.
PIECE_WINDOWS = 5
FEWEST_WINDOWS = 16  # of a voice, 4 s: shorter clusters are coughs, laughs and changes of speaker
MOST_PIECES = 2000  # clustered; the distances of all pairs take 32 MB


def find_voices(
    windows: Windows, rows: np.ndarray, model: VoiceModel, threshold: float
) -> list[np.ndarray]:
    """Return the mean vector of each voice among some windows, shape (dim,).

    Pieces of 2.5 s are clustered by average linkage, up to a threshold of their scores. Of more
    than 2000 pieces, 40 minutes of speech, only as many are clustered, evenly spread.

    Args:
        rows: of `windows`, rising.
        threshold: of the model's scores, from which on two recordings are of one speaker.
    """
    pieces = spread(cut_pieces(rows, windows.regions[rows]))
    if not pieces:
        return []
    sums = np.stack([windows.vectors[piece].sum(axis=0) for piece in pieces])
    sizes = np.array([len(piece) for piece in pieces])
    labels = cluster(at_unit_length(sums), model, threshold)
    return [
        sums[labels == label].sum(axis=0) / size
        for label, size in enumerate(np.bincount(labels, sizes))
        if size >= FEWEST_WINDOWS
    ]


def cut_pieces(rows: np.ndarray, regions: np.ndarray) -> list[np.ndarray]:
    """Cut rows of windows to pieces of about `PIECE_WINDOWS`, each within a region and unbroken.

    Args:
        rows: rising, shape (windows,).
        regions: the region of each, likewise.

    >>> cut_pieces(np.array([0, 1, 2, 4, 5]), np.array([0, 0, 1, 1, 1]))
    [array([0, 1]), array([2]), array([4, 5])]
    """
    if not len(rows):
        return []
    breaks = np.flatnonzero((np.diff(rows) > 1) | (np.diff(regions) > 0)) + 1
    return [
        piece
        for run in np.split(rows, breaks)
        for piece in np.array_split(run, max(1, round(len(run) / PIECE_WINDOWS)))
    ]


def spread(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """Return at most `MOST_PIECES`, evenly spread."""
    chosen = np.linspace(0, len(pieces) - 1, min(len(pieces), MOST_PIECES)).astype(int)
    return [pieces[place] for place in chosen]


def cluster(vectors: np.ndarray, model: VoiceModel, threshold: float) -> np.ndarray:
    """Return the cluster of each vector, from 0 on, shape (vectors,).

    Args:
        vectors: unit length, shape (vectors, dim).
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=int)
    scores = model.score([vector[None] for vector in vectors], vectors)
    scores = (scores + scores.T) / 2  # those of PLDA depend on who is the test
    highest = scores.max()
    clustering = AgglomerativeClustering(
        n_clusters=None,
        metric="precomputed",
        linkage="average",
        distance_threshold=float(highest - threshold),
    )
    labels: np.ndarray = clustering.fit_predict(highest - scores)
    return labels
