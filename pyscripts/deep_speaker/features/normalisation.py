"""Mean and scale of voiced frames: Kaldi's CMVN statistics, and their use."""

import numpy as np

from deep_speaker.config import Normalisation


def cmvn_statistics(frames: np.ndarray) -> np.ndarray:
    """Sums and sums of squares of frames, in the form of Kaldi's CMVN statistics.

    Args:
        frames: shape (frames, bins).

    Returns:
        float64, shape (2, bins + 1).
    """
    statistics = np.zeros((2, frames.shape[1] + 1))
    statistics[0, :-1] = frames.sum(axis=0, dtype=np.float64)
    statistics[0, -1] = len(frames)
    statistics[1, :-1] = np.einsum("ij,ij->j", frames, frames, dtype=np.float64)
    return statistics


# A bin whose voiced frames hardly vary (digital silence above a low-pass) is not blown up.
SCALE_FLOOR = 1e-2


def voiced_statistics(cmvn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation from Kaldi's CMVN statistics, shape (2, bins + 1)."""
    count = cmvn[0, -1]
    mean = cmvn[0, :-1] / count
    variance = cmvn[1, :-1] / count - mean**2
    return mean.astype(np.float32), np.sqrt(np.maximum(variance, 0)).astype(np.float32)


def normalise(
    frames: np.ndarray, mean: np.ndarray, deviation: np.ndarray, options: Normalisation
) -> np.ndarray:
    """Take the utterance's mean from frames (frames, bins), and scale them, as configured.

    Frames that the network itself normalises, chunk by chunk, stay as they are.
    """
    if options.inside_network:
        return frames
    if options.mean == "utterance":
        frames = frames - mean
    if options.scale == "utterance":
        return frames / np.maximum(deviation, SCALE_FLOOR)
    return frames / np.float32(options.scale)
