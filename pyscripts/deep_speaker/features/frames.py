"""What the front ends share: how long frames are, and the least energy of one."""

import numpy as np

from deep_speaker.config import Features

ENERGY_FLOOR = np.finfo(np.float32).eps  # Kaldi's floor, of a mel bin and of a frame


def frame_samples(features: Features) -> tuple[int, int]:
    """Length and shift of a frame in samples."""
    per_ms = features.sampling_rate / 1000
    return int(features.frame_length_ms * per_ms), int(features.frame_shift_ms * per_ms)
