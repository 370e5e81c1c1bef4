"""From samples to an embedding, by a checkpoint alone: it holds the whole experiment."""

from pathlib import Path

import numpy as np
import torch

from deep_speaker.config import Experiment
from deep_speaker.embeddings.inference import embed_pieces, for_inference
from deep_speaker.embeddings.pieces import analyse_crops, cut_pieces
from deep_speaker.embeddings.unit_length import average
from deep_speaker.features.normalisation import cmvn_mean_and_deviation, cmvn_sums, normalise
from deep_speaker.features.shards import analyse
from deep_speaker.networks.checkpoints import load_checkpoint, trained_with
from deep_speaker.networks.pace import Precision
from deep_speaker.networks.registry import build_network


class SampleEmbedder:
    """Embeds samples as stages 1 and 4 embed utterances, by what a checkpoint was trained with.

    Its front end, voice activity, normalisation, network and extraction; the arks' compression,
    which changes the last digits, is left out.

    Attributes:
        experiment: of the checkpoint.
    """

    def __init__(
        self, checkpoint: Path, device: torch.device, precision: Precision = "float32"
    ) -> None:
        loaded = load_checkpoint(checkpoint)
        self.experiment = Experiment.model_validate(trained_with(loaded))
        self._device = device
        self._extraction = self.experiment.extraction
        network = build_network(self.experiment)
        network.load_state_dict(loaded.network)
        self._network = for_inference(network, device, precision)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Embed samples of `experiment.features.sampling_rate`: unit length, shape (dim,).

        Where no frame is voiced, all of them are embedded.

        Args:
            samples: float32, shape (num_samples,), on the scale of 16-bit integers.

        Raises:
            ValueError: too short for a frame, or not finite.
        """
        pieces = self._cut(samples)
        return average(embed_pieces(self._network, pieces, self._extraction, self._device))

    def _cut(self, samples: np.ndarray) -> list[np.ndarray]:
        """Return what the network embeds of samples: normalised frames (frames, bins) of each."""
        if self._extraction.method == "sample_crops":
            return analyse_crops(samples, self.experiment)
        frames, voiced = analyse(samples, self.experiment)
        if voiced.any():
            frames = frames[voiced > 0]
        mean, deviation = cmvn_mean_and_deviation(cmvn_sums(frames))
        frames = normalise(frames, mean, deviation, self.experiment.normalisation)
        return cut_pieces(frames, self._extraction, self._network.fewest_frames)
