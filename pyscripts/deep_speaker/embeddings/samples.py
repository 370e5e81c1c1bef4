"""From samples to an embedding, by a checkpoint alone: it holds the whole experiment."""

from collections.abc import Sequence

import numpy as np
import torch

from deep_speaker.config import Experiment
from deep_speaker.embeddings.inference import embed, embed_pieces, for_inference
from deep_speaker.embeddings.pieces import analyse_crops, cut_pieces
from deep_speaker.embeddings.unit_length import average
from deep_speaker.features import front_ends
from deep_speaker.features.blocks import split_samples
from deep_speaker.features.normalisation import cmvn_mean_and_deviation, cmvn_sums, normalise
from deep_speaker.features.shards import analyse
from deep_speaker.features.source import fit_length
from deep_speaker.networks.checkpoints import Checkpoint, trained_with
from deep_speaker.networks.pace import Precision
from deep_speaker.networks.registry import build_network

WINDOWS_AT_ONCE = 64  # the more, the more of a batch lies outside the processor's cache


class SampleEmbedder:
    """Embeds samples as stages 1 and 4 embed utterances, by what a checkpoint was trained with.

    Its front end, voice activity, normalisation, network and extraction; the arks' compression,
    which changes the last digits, is left out.

    Attributes:
        experiment: of the checkpoint.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, precision: Precision = "float32"
    ) -> None:
        self.experiment = Experiment.model_validate(trained_with(checkpoint))
        self._device = device
        self._extraction = self.experiment.extraction
        network = build_network(self.experiment)
        network.load_state_dict(checkpoint.network)
        self._network = for_inference(network, device, precision)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Embed samples of `sampling_rate`: unit length, shape (dim,).

        Where no frame is voiced, all of them are embedded.

        Args:
            samples: float32, shape (num_samples,), on the scale of 16-bit integers.

        Raises:
            ValueError: too short for a frame, or not finite.
        """
        if self._extraction.method == "sample_crops":
            pieces = analyse_crops(samples, self.experiment)
        else:
            frames = self._normalise(self.voiced_frames(samples))
            pieces = cut_pieces(frames, self._extraction, self._network.fewest_frames)
        return average(embed_pieces(self._network, pieces, self._extraction, self._device))

    @property
    def sampling_rate(self) -> int:
        """In Hz, of the samples."""
        return self.experiment.features.sampling_rate

    def mean_frame(self, samples: np.ndarray) -> np.ndarray:
        """Return the mean of the frames that are embedded, before normalisation: (bins,)."""
        mean: np.ndarray = self.voiced_frames(samples).mean(axis=0)
        return mean

    def voiced_frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the frames (frames, bins) that are embedded, as the front end makes them."""
        frames, voiced = analyse(split_samples(samples), self.experiment)
        return frames[voiced > 0] if voiced.any() else frames

    def embed_windows(
        self, samples: np.ndarray, starts: Sequence[int], num_samples: int
    ) -> np.ndarray:
        """Embed windows of samples, each by itself: unit length, shape (windows, dim).

        The front end hears the samples once, not window by window; every frame counts as voiced.

        Args:
            samples: see `__call__`.
            starts: the first sample of each window, rounded to the front end's shift.
            num_samples: of each window.
        """
        frames = front_ends.compute_frames(samples, self.experiment.features)[0]
        length, shift = self.experiment.features.frame_samples
        num_frames = max(1, (num_samples - length) // shift + 1)
        found = []
        for first in range(0, len(starts), WINDOWS_AT_ONCE):
            windows = [
                frames[start // shift :][:num_frames] for start in starts[first:][:WINDOWS_AT_ONCE]
            ]
            fewest = max(num_frames, self._network.fewest_frames)
            pieces = [fit_length(self._normalise(window), fewest) for window in windows]
            found.append(embed(self._network, pieces, self._device))
        return np.concatenate(found)

    def _normalise(self, frames: np.ndarray) -> np.ndarray:
        """Normalise frames by their own mean and deviation, as configured."""
        mean, deviation = cmvn_mean_and_deviation(cmvn_sums(frames))
        return normalise(frames, mean, deviation, self.experiment.normalisation)
