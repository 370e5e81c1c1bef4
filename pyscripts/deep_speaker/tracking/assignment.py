"""Whom each window is given to: somebody enrolled, a voice that is found, or nobody known."""

from collections.abc import Mapping, Sequence
from itertools import count

import numpy as np

from deep_speaker.embeddings.unit_length import average
from deep_speaker.tracking.clustering import FEWEST_WINDOWS, find_voices
from deep_speaker.tracking.smoothing import best_path
from deep_speaker.tracking.track import UNKNOWN
from deep_speaker.tracking.windows import Windows
from deep_speaker.voices.voice_model import VoiceModel

FOUND = "speaker-{}"  # the name of a voice that is found
# The deviation of scores in nats, of a model that is not calibrated: about that of one that is.
TYPICAL_DEVIATION = 4.0

Voice = tuple[str, np.ndarray | None]  # a name, and vectors (examples, dim); None: unknown


def assign(
    model: VoiceModel,
    windows: Windows,
    enrolled: Mapping[str, np.ndarray],
    threshold: float,
    cluster: bool,
) -> list[Voice]:
    """Return the voice that each window is given to.

    First to the enrolled, where their scores reach the threshold along many windows. What is heard
    of them there counts as one more example, and the windows are given anew. The rest is unknown;
    or its voices are found, and the windows are given once more, to these and the enrolled.

    Args:
        enrolled: vectors of each, shape (examples, dim).
        threshold: of the model's scores.
        cluster: find the voices of the rest.
    """
    known = list(enrolled.values())
    nobody = np.zeros((len(windows.vectors), 1))
    path = best_path(np.hstack([weigh(model, known, windows.vectors, threshold), nobody]))
    known = [add_heard(each, windows.vectors[path == row]) for row, each in enumerate(known)]
    path = best_path(np.hstack([weigh(model, known, windows.vectors, threshold), nobody]))
    rest = np.flatnonzero(path == len(known))
    found = find_voices(windows, rest, model, threshold) if cluster else []
    if not found:
        voices: list[Voice] = [*zip(enrolled, known, strict=True), (UNKNOWN, None)]
        return [voices[column] for column in path]
    known += [vector[None] for vector in found]
    path = best_path(weigh(model, known, windows.vectors, threshold))
    names = name_columns(path, list(enrolled))
    return [(names[column], known[column]) for column in path.tolist()]


def add_heard(examples: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Add the mean of windows to somebody's examples, (examples, dim), where there are enough."""
    if len(windows) < FEWEST_WINDOWS:
        return examples
    return np.vstack([examples, average(windows)])


def weigh(
    model: VoiceModel, voices: Sequence[np.ndarray], vectors: np.ndarray, threshold: float
) -> np.ndarray:
    """Return the evidence for each voice in nats: above 0 from the threshold on.

    Args:
        voices: vectors of each, shape (examples, dim).
        vectors: of windows, shape (windows, dim).

    Returns:
        Shape (windows, voices).
    """
    if not voices:
        return np.zeros((len(vectors), 0))
    scores = model.score(voices, vectors).T
    table = model.scoring.decisions
    weight = table.weight if table else TYPICAL_DEVIATION / max(float(scores.std()), 1e-6)
    evidence: np.ndarray = weight * (scores - threshold)
    return evidence


def name_columns(path: np.ndarray, enrolled: Sequence[str]) -> dict[int, str]:
    """Name the columns of a path: first the enrolled, then others by their first appearance.

    >>> name_columns(np.array([2, 2, 0, 1, 2]), ["ana"])
    {0: 'ana', 2: 'speaker-1', 1: 'speaker-2'}
    """
    names = dict(enumerate(enrolled))
    free = (name for name in map(FOUND.format, count(1)) if name not in enrolled)
    for column in path.tolist():
        if column not in names:
            names[column] = next(free)
    return names
