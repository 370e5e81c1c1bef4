"""Trimming: the part of an utterance from its first to its last loud sample, and its frames.

As Philippe Rémy's Deep Speaker does (deep_speaker/audio.py, `read_mfcc`): its frames are those of
the samples that are kept, and of nothing else. A data directory keeps the frames of the rest, too,
and vad.scp marks the kept ones, so that the number of frames depends on the length alone.
"""

import numpy as np

from deep_speaker.config import PythonSpeechFeatures, Trimming
from deep_speaker.features.python_speech_features import compute_filterbanks, count_frames


def kept_samples(samples: np.ndarray, options: Trimming) -> tuple[int, int]:
    """Return the first and the last sample whose amplitude exceeds the percentile of all.

    The last is left out, as the source does. Both are 0 where no sample is louder: in silence, or
    at one level.
    """
    amplitudes = np.abs(samples)
    loud = np.flatnonzero(amplitudes > np.percentile(amplitudes, options.percentile))
    return (int(loud[0]), int(loud[-1])) if len(loud) else (0, 0)


def compute_trimmed(
    samples: np.ndarray, features: PythonSpeechFeatures, options: Trimming
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the frames of an utterance, of which those of the kept samples are voiced.

    The voiced ones are exactly the front end's of the kept samples: they begin at the first, where
    pre-emphasis begins anew, and zeros follow the last. The others lie before and after them on the
    same grid. There are as many together as of the whole utterance.

    Returns:
        frames: float32, shape (frames, num_bins).
        voiced: float32, shape (frames,), exactly 1 for kept and 0 for other frames.
    """
    num_frames = count_frames(len(samples), features)
    voiced = np.zeros(num_frames, dtype=np.float32)
    first, last = kept_samples(samples, options)
    if first == last:
        return compute_filterbanks(samples, features)[0], voiced
    kept, _ = compute_filterbanks(samples[first:last], features)
    # Kept samples longer than a frame have their frames in place: with the shifts before them they
    # are no longer than the utterance. A single frame at the end may lie beyond its last one.
    _, shift = features.frame_samples
    start = min(first // shift, num_frames - len(kept))
    frames, _ = compute_filterbanks(samples[first - start * shift :], features, num_frames)
    frames[start : start + len(kept)] = kept
    voiced[start : start + len(kept)] = 1
    return frames, voiced
