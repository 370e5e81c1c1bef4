"""The choice of a front end: from samples to the frames that networks see."""

import numpy as np

from deep_speaker.config import (
    Features,
    KaldiFilterbank,
    PythonSpeechFeatures,
    SpeechBrainFilterbank,
)
from deep_speaker.features import kaldi, python_speech_features, speechbrain, torchaudio

OPTION_FILES = (
    "fbank.conf",
    "spectrogram.conf",
    "speechbrain_fbank.conf",
    "python_speech_features.conf",
)


def compute_frames(samples: np.ndarray, features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Compute the frames of an utterance by the configured front end, and their log energies.

    Args:
        samples: float32, shape (num_samples,), on the scale of 16-bit integers.

    Returns:
        frames: float32, shape (frames, num_bins).
        log_energies: float32, shape (frames,), on the scale of 16-bit integers; see
            `voice_activity.detect_voice`.

    Raises:
        ValueError: too short for the front end; Kaldi's gives 0 frames instead.
    """
    if isinstance(features, KaldiFilterbank):
        return kaldi.compute_filterbanks(samples, features)
    if isinstance(features, PythonSpeechFeatures):
        return python_speech_features.compute_filterbanks(samples, features)
    if isinstance(features, SpeechBrainFilterbank):
        return speechbrain.compute_filterbanks(samples, features)
    return torchaudio.compute_spectrogram(samples, features)


def options_file(features: Features) -> tuple[str, str]:
    """Return name (one of OPTION_FILES) and text of the file in conf/ that holds the options."""
    if isinstance(features, KaldiFilterbank):
        return "fbank.conf", kaldi.fbank_options(features)
    if isinstance(features, PythonSpeechFeatures):
        return "python_speech_features.conf", python_speech_features.filterbank_options(features)
    if isinstance(features, SpeechBrainFilterbank):
        return "speechbrain_fbank.conf", speechbrain.filterbank_options(features)
    return "spectrogram.conf", torchaudio.spectrogram_options(features)
