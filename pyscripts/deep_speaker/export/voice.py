"""Voice activity as torch modules: which samples or frames of an utterance are embedded."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import Experiment, Trimming, VoiceActivity
from deep_speaker.features.spectra import ENERGY_FLOOR


def hears_all(experiment: Experiment) -> bool:
    """Tell whether all of an utterance is embedded, voiced or not."""
    options = experiment.voice_activity
    if experiment.extraction.method == "sample_crops":
        return True
    if isinstance(options, Trimming):
        return False
    floor = math.log(ENERGY_FLOOR)  # the log energy of silence
    return options.energy_mean_scale == 0 and options.energy_threshold < floor


class EnergyDetector(nn.Module):
    """Marks voiced frames as `features.voice_activity.detect_voice` does."""

    def __init__(self, options: VoiceActivity) -> None:
        super().__init__()
        self.options = options

    def forward(self, log_energies: Tensor) -> Tensor:
        """Return which frames are voiced: bool, shape (frames,) as `log_energies`."""
        options = self.options
        threshold = options.energy_threshold + options.energy_mean_scale * log_energies.mean()
        loud = (log_energies > threshold).to(log_energies.dtype)
        around = torch.stack([loud, torch.ones_like(loud)])[:, None]  # (2, 1, frames)
        window = torch.ones(1, 1, 2 * options.context + 1)
        num_loud, num_all = F.conv1d(around, window, padding=options.context)[:, 0]
        return num_loud >= num_all * options.proportion


class Trimmer(nn.Module):
    """Cuts samples as `features.trimming.kept_samples` does; silence stays whole."""

    def __init__(self, options: Trimming) -> None:
        super().__init__()
        self.percentile = options.percentile

    def forward(self, samples: Tensor) -> Tensor:
        """Return the kept samples (1, num_kept) of samples (1, num_samples)."""
        amplitudes = samples[0].abs()
        positions = torch.arange(samples.shape[1])
        # What exceeds a percentile exceeds the ranked value at it or just below it.
        rank = torch.as_tensor(samples.shape[1] - 1).double() * (self.percentile / 100)
        loud = amplitudes > amplitudes.sort().values[rank.long()]
        last = torch.where(loud, positions, torch.zeros_like(positions)).max()
        first = torch.where(loud, positions, torch.full_like(positions, 2**62)).min()
        kept = (positions >= first) & (positions < last)
        return samples[:, kept | ~kept.any()]
