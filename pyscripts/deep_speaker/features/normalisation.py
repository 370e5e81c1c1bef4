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
    """Return mean and standard deviation of frames by their `cmvn_sums`.

    Args:
        sums: shape (..., 2, bins + 1).

    Returns:
        float32, shape (..., bins) each.
    """
    count = sums[..., 0, -1:]
    mean = sums[..., 0, :-1] / count
    variance = sums[..., 1, :-1] / count - mean**2
    return mean.astype(np.float32), np.sqrt(np.maximum(variance, 0)).astype(np.float32)


def normalise(
    frames: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    options: Normalisation,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Subtract the utterance's mean from frames (frames, bins) and scale them, as configured.

    Frames that the network itself normalises, chunk by chunk, stay as they are.

    Args:
        out: float32 of the same shape, where the result goes; None: into new memory.
    """
    if options.inside_network:
        return frames if out is None else np.positive(frames, out=out)
    if options.mean == "utterance":
        frames = out = np.subtract(frames, mean, out=out)
    if options.scale == "utterance":
        return np.divide(frames, np.maximum(deviation, SCALE_FLOOR), out=out)
    return np.divide(frames, np.float32(options.scale), out=out)
