"""Front ends, from samples to the frames that networks see; a module each, one place to choose."""

import numpy as np

from deep_speaker.config import Features, KaldiFilterbank
from deep_speaker.features import kaldi, torchaudio

OPTION_FILES = ("fbank.conf", "spectrogram.conf")


def compute_filterbanks(samples: np.ndarray, features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Filterbanks, or what else the front end computes, and log energies of an utterance.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers.

    Returns:
        filterbanks: float32, shape (frames, num_bins).
        log_energies: float32, shape (frames,), on the scale of 16-bit integers; see
            `vad.detect_voice`.

    Raises:
        ValueError: too short for the front end; Kaldi's gives 0 frames instead.
    """
    if isinstance(features, KaldiFilterbank):
        return kaldi.compute_filterbanks(samples, features)
    return torchaudio.compute_spectrogram(samples, features)


def options_file(features: Features) -> tuple[str, str]:
    """Name, one of OPTION_FILES, and text of the file that tells the options in conf/."""
    if isinstance(features, KaldiFilterbank):
        return "fbank.conf", kaldi.kaldi_options(features)
    return "spectrogram.conf", torchaudio.options_text(features)
