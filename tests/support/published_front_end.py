"""A plain copy of voxceleb_trainer's way from samples to scores, of both its times.

Its `loadWAV` in evaluation, the front ends of its networks by `torch.stft` and mel filters that
are written out, and the distances of `evaluateFromList`.
"""

import math

import numpy as np
import torch
from torch import Tensor


def load_crops(samples: np.ndarray, max_frames: int, num_eval: int, short: str) -> Tensor:
    """Crops (num_eval, samples), as loadWAV cuts them; `zeros` before 33b81d2, `repeat` since."""
    max_audio = max_frames * 160 + 240
    audiosize = samples.shape[0]
    if audiosize <= max_audio:
        if short == "zeros":
            shortage = math.floor((max_audio - audiosize + 1) / 2)
            samples = np.pad(samples, (shortage, shortage), "constant", constant_values=0)
        else:
            samples = np.pad(samples, (0, max_audio - audiosize + 1), "wrap")
        audiosize = samples.shape[0]
    starts = np.linspace(0, audiosize - max_audio, num=num_eval)
    crops = [samples[int(start) : int(start) + max_audio] for start in starts]
    return torch.from_numpy(np.stack(crops)).float()


def stored_buffers(window: Tensor) -> dict[str, Tensor]:
    """The buffers of torchaudio's MelSpectrogram, by their names."""
    return {"torchfb.spectrogram.window": window, "torchfb.mel_scale.fb": mel_filters(40)}


def mel_filters(num_mels: int, rate: int = 16000, bins: int = 257) -> Tensor:
    """HTK triangles (bins, num_mels), as torchaudio's melscale_fbanks."""
    frequencies = torch.linspace(0, rate // 2, bins)
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, highest, num_mels + 2) / 2595) - 1)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)


def spectrograms(crops: Tensor, window: Tensor, of_thin_resnet: bool) -> Tensor:
    """What the networks see before their instance norm: (crops, bins, frames)."""
    spectra = torch.stft(
        crops, 512, 160, 400, window, center=not of_thin_resnet, return_complex=True
    )
    if of_thin_resnet:
        return spectra.abs()
    return (mel_filters(40).T @ spectra.abs().square() + 1e-6).log()


def score(first: Tensor, second: Tensor) -> float:
    """Minus the mean distance of unit-length crops."""
    return -float(torch.cdist(first.double(), second.double()).mean())
