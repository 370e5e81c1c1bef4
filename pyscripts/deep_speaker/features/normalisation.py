"""Mean and scale of voiced frames, by the sums that Kaldi calls CMVN statistics."""

import numpy as np

from deep_speaker.config import Normalisation

# A bin whose voiced frames hardly vary (digital silence above a low-pass) is not blown up.
SCALE_FLOOR = 1e-2


def cmvn_sums(frames: np.ndarray) -> np.ndarray:
    """Sum frames and their squares, in the form of Kaldi's compute-cmvn-stats.

    Args:
        frames: shape (frames, bins).

    Returns:
        float64, shape (2, bins + 1): the sums and the number of frames; sums of squares and 0.
    """
    sums = np.zeros((2, frames.shape[1] + 1))
    sums[0, :-1] = frames.sum(axis=0, dtype=np.float64)
    sums[0, -1] = len(frames)
    sums[1, :-1] = np.einsum("ij,ij->j", frames, frames, dtype=np.float64)
    return sums


def cmvn_mean_and_deviation(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of frames by their `cmvn_sums`: float32, shape (bins,)."""
    count = sums[0, -1]
    mean = sums[0, :-1] / count
    variance = sums[1, :-1] / count - mean**2
    return mean.astype(np.float32), np.sqrt(np.maximum(variance, 0)).astype(np.float32)


def normalise(
    frames: np.ndarray, mean: np.ndarray, deviation: np.ndarray, options: Normalisation
) -> np.ndarray:
    """Subtract the utterance's mean from frames (frames, bins) and scale them, as configured.

    Frames that the network itself normalises, chunk by chunk, stay as they are.
    """
    if options.inside_network:
        return frames
    if options.mean == "utterance":
        frames = frames - mean
    if options.scale == "utterance":
        return frames / np.maximum(deviation, SCALE_FLOOR)
    return frames / np.float32(options.scale)
