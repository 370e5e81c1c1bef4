"""Front ends as torch modules, which a graph can hold; the numbers are those of `features`.

All that is linear in a frame (pre-emphasis, window, Fourier transform) is one product with a
matrix, the transform of each unit vector. Programs of graphs are slow at Fourier transforms of
other lengths than powers of two; next to a network's, this product is small.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import (
    Features,
    KaldiFilterbank,
    PythonSpeechFeatures,
    SpeechBrainFilterbank,
    TorchaudioSpectrogram,
)
from deep_speaker.features import kaldi, python_speech_features, speechbrain, torchaudio
from deep_speaker.features.spectra import ENERGY_FLOOR, FULL_SCALE, periodic_window

Analysed = tuple[Tensor, Tensor]


class GraphFrontEnd(nn.Module):
    """Maps samples (batch, num_samples), on the scale of 16-bit integers, to what networks see.

    Attributes:
        fewest_samples: the fewest that it takes.
    """

    fewest_samples = 1

    def __init__(self, features: Features, impulses: np.ndarray, filters: np.ndarray) -> None:
        """Prepare the product with a frame.

        Args:
            impulses: float64, shape (frame length, FFT length): what the FFT takes of each sample
                of a frame.
            filters: shape (FFT length / 2 + 1, bins).
        """
        super().__init__()
        self.length, self.shift = features.frame_samples
        self.first_sample = features.first_sample
        spectra = np.fft.rfft(impulses, axis=1)
        matrix = np.concatenate([spectra.real, spectra.imag], axis=1).astype(np.float32)
        self.matrix: Tensor
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.filters: Tensor
        self.register_buffer("filters", torch.from_numpy(filters.astype(np.float32)))

    def count(self, num_samples: Any) -> Any:
        """Return the number of frames."""
        raise NotImplementedError

    def extend(self, samples: Tensor, num_samples: Any) -> Tensor:
        """Return `num_samples` samples from the first of frame 0 on: (batch, num_samples)."""
        raise NotImplementedError

    def bins(self, power: Tensor) -> Tensor:
        """Map the power of each frequency (batch, frames, frequencies) to bins."""
        raise NotImplementedError

    def forward(self, samples: Tensor) -> Analysed:
        """Return frames (batch, frames, bins) and log energies (batch, frames)."""
        frames = self.cut(samples)
        return self.bins(self.power(frames)), log_energies(frames)

    def cut(self, samples: Tensor) -> Tensor:
        """Return the frames of samples: (batch, frames, length)."""
        per_frame = -(-self.length // self.shift)  # blocks of a shift each, of which frames are
        num_blocks = self.count(samples.shape[1]) + per_frame - 1
        extended = self.extend(samples, num_blocks * self.shift)
        blocks = extended.reshape(samples.shape[0], -1, self.shift)
        beside = [blocks[:, i : num_blocks - per_frame + 1 + i] for i in range(per_frame)]
        return torch.cat(beside, dim=2)[:, :, : self.length]

    def power(self, frames: Tensor) -> Tensor:
        real, imaginary = (frames @ self.matrix).chunk(2, dim=2)
        return real.square() + imaginary.square()


class KaldiFrontEnd(GraphFrontEnd):
    """See `features.kaldi`."""

    def __init__(self, features: KaldiFilterbank) -> None:
        length, shift = features.frame_samples
        before = np.eye(length, k=1)  # the sample before each, of which the first has none
        impulses = (np.eye(length) - kaldi.PREEMPHASIS * before) * kaldi.povey_window(length)
        filters = kaldi.mel_filterbank(features)
        padding = 2 * (len(filters) - 1) - length
        super().__init__(features, np.pad(impulses, ((0, 0), (0, padding))), filters)
        self.fewest_samples = shift - shift // 2

    def count(self, num_samples: Any) -> Any:
        return (num_samples + self.shift // 2) // self.shift

    def extend(self, samples: Tensor, num_samples: Any) -> Tensor:
        within = torch.remainder(
            torch.arange(num_samples) + self.first_sample, 2 * samples.shape[1]
        )
        return samples[:, torch.minimum(within, 2 * samples.shape[1] - 1 - within)]

    def power(self, frames: Tensor) -> Tensor:
        return super().power(centre(frames))

    def bins(self, power: Tensor) -> Tensor:
        return (power @ self.filters).clamp(min=float(ENERGY_FLOOR)).log()


class TorchaudioFrontEnd(GraphFrontEnd):
    """See `features.torchaudio`."""

    def __init__(self, features: TorchaudioSpectrogram) -> None:
        length, _ = features.frame_samples
        window = periodic_window(features.window, length).astype(np.float64)
        impulses = np.diag(window / torchaudio.DIVISORS[features.sample_scale])
        padding = features.fft_length - length
        filters = np.eye(0) if features.num_mels is None else torchaudio.htk_filterbank(features)
        super().__init__(features, np.pad(impulses, ((0, 0), (0, padding))), filters)
        self.features = features
        self.fewest_samples = (
            features.fft_length // 2 + 1 if features.centred else features.fft_length
        )

    def count(self, num_samples: Any) -> Any:
        padding = 2 * (self.features.fft_length // 2) if self.features.centred else 0
        return 1 + (num_samples + padding - self.features.fft_length) // self.shift

    def extend(self, samples: Tensor, num_samples: Any) -> Tensor:
        period = 2 * samples.shape[1] - 2  # the sample at the end stands once
        within = torch.remainder(torch.arange(num_samples) + self.first_sample, period)
        return samples[:, torch.minimum(within, period - within)]

    def bins(self, power: Tensor) -> Tensor:
        values = power.sqrt() if self.features.power == 1 else power
        if self.features.num_mels is not None:
            values = values @ self.filters
        return (values + torchaudio.LOG_OFFSET).log() if self.features.log else values


class ZeroPadded(GraphFrontEnd):
    """A front end that sees zeros around the samples."""

    def extend(self, samples: Tensor, num_samples: Any) -> Tensor:
        return F.pad(samples, (-self.first_sample, self.length + 2 * self.shift))[:, :num_samples]


class SpeechBrainFrontEnd(ZeroPadded):
    """See `features.speechbrain`."""

    def __init__(self, features: SpeechBrainFilterbank) -> None:
        length, _ = features.frame_samples
        impulses = np.diag(periodic_window("hamming", length).astype(np.float64) / FULL_SCALE)
        super().__init__(features, impulses, speechbrain.mel_filterbank(features))

    def count(self, num_samples: Any) -> Any:
        return 1 + (num_samples + 2 * (self.length // 2) - self.length) // self.shift

    def bins(self, power: Tensor) -> Tensor:
        decibels = 10 * (power @ self.filters).clamp(min=speechbrain.LEAST_POWER).log10()
        loudest = decibels.amax(dim=(1, 2), keepdim=True)
        return torch.maximum(decibels, loudest - speechbrain.RANGE_DB)


class PythonSpeechFrontEnd(ZeroPadded):
    """See `features.python_speech_features`."""

    def __init__(self, features: PythonSpeechFeatures) -> None:
        length, _ = features.frame_samples
        impulses = np.eye(length, features.fft_length) / FULL_SCALE / features.fft_length**0.5
        super().__init__(features, impulses, python_speech_features.mel_filterbank(features))

    def count(self, num_samples: Any) -> Any:
        beyond = torch.as_tensor(num_samples).clamp(min=self.length) - self.length
        return 1 + (beyond + self.shift - 1) // self.shift

    def forward(self, samples: Tensor) -> Analysed:
        before = F.pad(samples, (1, 0))[:, :-1]
        emphasised = samples - python_speech_features.PREEMPHASIS * before
        return self.bins(self.power(self.cut(emphasised))), log_energies(self.cut(samples))

    def bins(self, power: Tensor) -> Tensor:
        energies = power @ self.filters
        zero = torch.full_like(energies, float(python_speech_features.ZERO_ENERGY))
        energies = centre(torch.where(energies == 0, zero, energies))
        deviation = energies.square().mean(dim=2, keepdim=True).sqrt()
        return energies / deviation.clamp(min=python_speech_features.DEVIATION_FLOOR)


def centre(frames: Tensor) -> Tensor:
    """Return frames less their means, exactly 0 where a frame is all of one value."""
    frames = frames - frames[:, :, :1]
    return frames - frames.mean(dim=2, keepdim=True)


def log_energies(frames: Tensor) -> Tensor:
    """Return the natural log of the sum of squares of each frame, less its mean."""
    return centre(frames).square().sum(dim=2).clamp(min=float(ENERGY_FLOOR)).log()


FRONT_ENDS: dict[str, Callable[[Any], GraphFrontEnd]] = {
    "kaldi": KaldiFrontEnd,
    "torchaudio": TorchaudioFrontEnd,
    "speechbrain": SpeechBrainFrontEnd,
    "python_speech_features": PythonSpeechFrontEnd,
}
