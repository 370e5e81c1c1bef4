"""The front end that a file of weights holds, against the experiment's.

torchaudio keeps its window and mel filters among the buffers of a network, and voxceleb_trainer
loads them with the weights: a file brings the front end that it was trained with, whatever window
the code names by then. The scale of the samples is in no file.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from deep_speaker.config import TorchaudioSpectrogram
from deep_speaker.features.spectra import WINDOWS, periodic_window
from deep_speaker.features.torchaudio import htk_filterbank

WINDOW = "torchfb.spectrogram.window"
FILTERS = "torchfb.mel_scale.fb"
ROUNDING = 1e-3  # torchaudio computes filters in float32: they come within 1e-4 of ours


def check_front_end(
    path: Path, state: Mapping[str, Tensor], features: TorchaudioSpectrogram
) -> None:
    """Refuse weights whose file holds another window or other filters than the experiment's.

    A file without them (Thin ResNet-34 has no torchaudio) is taken as it is.

    Args:
        state: tensors by the names of voxceleb_trainer.
    """
    # An empty one is of a torchaudio that made its filters when it first saw a spectrum.
    found = {key: state[key].numpy() for key in (WINDOW, FILTERS) if key in state}
    found = {key: values for key, values in found.items() if values.size}
    if WINDOW in found:
        _check_window(path, found[WINDOW], features)
    if FILTERS in found:
        _check_filters(path, found[FILTERS], features)


def _check_window(path: Path, window: np.ndarray, features: TorchaudioSpectrogram) -> None:
    length = features.frame_samples[0]
    name = name_window(window)
    if len(window) != length:
        milliseconds = 1000 * len(window) / features.sampling_rate
        setting = f"features.frame_length_ms={milliseconds:g}"
    elif name != features.window:
        setting = f"features.window={name}"
    else:
        return
    remedy = f"name the config that has it, or --set {setting}"
    if name is None:
        remedy = f"no window here is like it; there are {', '.join(WINDOWS)}"
    raise ValueError(
        f"{path}: {WINDOW} is {name or 'unknown'}, of {len(window)} samples; the config's is "
        f"{features.window}, of {length}: {remedy}"
    )


def name_window(window: np.ndarray) -> str | None:
    """Return which of WINDOWS a window is, of its own length; None: none of them."""
    for name in WINDOWS:
        if np.allclose(window, periodic_window(name, len(window)), rtol=0, atol=ROUNDING):
            return name
    return None


def _check_filters(path: Path, filters: np.ndarray, features: TorchaudioSpectrogram) -> None:
    bins, mels = filters.shape
    own_bins = features.fft_length // 2 + 1
    stored = f"{path}: {FILTERS} has {mels} filters of {bins} bins"
    if mels != features.num_mels:
        own = f"num_mels {features.num_mels or 'null'}"
        remedy = f"--set features.num_mels={mels}"
    elif bins != own_bins:
        own = f"fft_length {features.fft_length}, which makes {own_bins}"
        remedy = f"--set features.fft_length={2 * (bins - 1)}"
    else:
        difference = np.abs(filters - htk_filterbank(features)).max()
        if difference <= ROUNDING:
            return
        stored += f" that differ by up to {difference:.2g}"
        own = f"HTK mels from 0 to {features.sampling_rate // 2} Hz"
        remedy = "set features.sampling_rate to that of its training; there are no other filters"
    raise ValueError(f"{stored}; the config's features have {own}: {remedy}")
