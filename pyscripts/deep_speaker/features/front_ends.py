"""The choice of a front end: from samples to the frames that networks see."""

from collections.abc import Iterable

import numpy as np

from deep_speaker.config import (
    Features,
    KaldiFilterbank,
    PythonSpeechFeatures,
    SpeechBrainFilterbank,
    TorchaudioSpectrogram,
)
from deep_speaker.features import kaldi, python_speech_features, speechbrain, torchaudio
from deep_speaker.features.blocks import cut_blocks, split_samples

# Each has the layout of its frames, and computes a block of them.
BY_BLOCKS = {
    KaldiFilterbank: kaldi,
    SpeechBrainFilterbank: speechbrain,
    TorchaudioSpectrogram: torchaudio,
}

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
    return compute_in_pieces(split_samples(samples), features)


def compute_in_pieces(
    pieces: Iterable[np.ndarray], features: Features
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the same of an utterance in pieces, of which few are held at a time.

    Only python_speech_features takes them together.
    """
    if isinstance(features, PythonSpeechFeatures):
        return python_speech_features.compute_filterbanks(np.concatenate([*pieces]), features)
    front_end = BY_BLOCKS[type(features)]
    blocks = cut_blocks(pieces, front_end.layout(features))
    computed = [front_end.compute_block(block, features) for block in blocks]
    none = np.empty((0, features.num_bins), np.float32), np.empty(0, np.float32)
    frames, log_energies = map(np.concatenate, zip(none, *computed, strict=True))
    if isinstance(features, SpeechBrainFilterbank):
        speechbrain.raise_to_floor(frames)
    return frames, log_energies


def options_file(features: Features) -> tuple[str, str]:
    """Return name (one of OPTION_FILES) and text of the file in conf/ that holds the options."""
    if isinstance(features, KaldiFilterbank):
        return "fbank.conf", kaldi.fbank_options(features)
    if isinstance(features, PythonSpeechFeatures):
        return "python_speech_features.conf", python_speech_features.filterbank_options(features)
    if isinstance(features, SpeechBrainFilterbank):
        return "speechbrain_fbank.conf", speechbrain.filterbank_options(features)
    return "spectrogram.conf", torchaudio.spectrogram_options(features)
