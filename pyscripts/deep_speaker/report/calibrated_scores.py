"""Scores as plots and tables of errors show them: log-likelihood ratios where there are some."""

from typing import NamedTuple

import numpy as np

from deep_speaker.results.rows import value_of

LLR, SCORE = "log-likelihood ratio, nats", "score"


class ShownScores(NamedTuple):
    """Scores or log-likelihood ratios, shape (trials,), and which: `SCORE` or `LLR`."""

    values: np.ndarray
    unit: str


def calibrate(scores: np.ndarray, calibration: object) -> ShownScores:
    """Return log-likelihood ratios where a row has a calibration, else the scores."""
    scale, offset = (
        value_of(calibration, key) if isinstance(calibration, dict) else None
        for key in ("scale", "offset")
    )
    if scale is None or offset is None:
        return ShownScores(scores, SCORE)
    return ShownScores(scale * scores + offset, LLR)
