"""The whole path from samples to an embedding as one torch module; see `SampleEmbedder`."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import Experiment, Normalisation, Trimming
from deep_speaker.embeddings.pieces import crop_samples
from deep_speaker.export.front_ends import FRONT_ENDS
from deep_speaker.export.pieces import crops, take, whole_pieces
from deep_speaker.export.voice import EnergyDetector, Trimmer, hears_all
from deep_speaker.features.normalisation import SCALE_FLOOR
from deep_speaker.networks.speaker_network import EmbeddingNetwork


class FrameNetwork(nn.Module):
    """Maps normalised frames of an utterance to its embedding.

    Attributes:
        fewest: the fewest frames that it takes; those that the network lacks are repeated.
    """

    fewest = 1

    def __init__(self, network: EmbeddingNetwork, experiment: Experiment) -> None:
        super().__init__()
        self.network = network
        self.extraction = experiment.extraction

    def forward(self, frames: Tensor) -> Tensor:
        """Return the embedding (dim,), of unit length, of frames (1, frames, bins).

        Of an experiment by `sample_crops`, the frames are those of one crop.
        """
        num_frames = frames.shape[1]
        if self.extraction.method == "crops":
            positions = crops(num_frames, self.extraction.crop_frames, self.extraction)
        else:
            positions = whole_pieces(num_frames, self.extraction, self.network.fewest_frames)
        return self.average(take(frames[0], positions))

    def average(self, pieces: Tensor) -> Tensor:
        """Return the mean of the embeddings of pieces (pieces, frames, bins), at unit length."""
        return F.normalize(F.normalize(self.network(pieces), dim=1).mean(dim=0), dim=0)


class SampleNetwork(nn.Module):
    """Maps samples to an embedding, equal to `SampleEmbedder`.

    Attributes:
        fewest: the fewest samples that it takes.
    """

    def __init__(self, network: EmbeddingNetwork, experiment: Experiment) -> None:
        super().__init__()
        voice, self.extraction = experiment.voice_activity, experiment.extraction
        self.frame_network = FrameNetwork(network, experiment)
        self.front_end = FRONT_ENDS[experiment.features.front_end](experiment.features)
        self.normalisation = experiment.normalisation
        self.trimmer = self.detector = None
        self.crop_samples = 0
        if self.extraction.method == "sample_crops":
            self.crop_samples = crop_samples(experiment)
        elif isinstance(voice, Trimming):
            self.trimmer = Trimmer(voice)
        elif not hears_all(experiment):
            self.detector = EnergyDetector(voice)
        self.fewest = 1 if self.crop_samples else self.front_end.fewest_samples

    def forward(self, samples: Tensor) -> Tensor:
        """Return the embedding (dim,), of unit length, of samples (num_samples,)."""
        if self.crop_samples:
            return self.frame_network.average(self.front_end(self.cut(samples))[0])
        samples = samples[None]
        if self.trimmer is not None:
            samples = self.trimmer(samples)
        frames, log_energies = self.front_end(samples)
        if self.detector is not None:
            voiced = self.detector(log_energies[0])
            frames = frames[:, voiced | ~voiced.any()]
        return self.frame_network(normalise(frames, self.normalisation))

    def cut(self, samples: Tensor) -> Tensor:
        """Return the crops of samples: (num_crops, samples of a crop)."""
        length = self.crop_samples
        if self.extraction.short_utterances == "repeat":
            return take(samples, crops(samples.shape[0], length, self.extraction, spare=1))
        # Half of what they lack on either side, rounded up, cut from a crop's length of zeros.
        padding: Any = (torch.as_tensor(length + 1 - samples.shape[0]).clamp(min=0)) // 2
        kept = torch.arange(samples.shape[0] + 2 * padding) + length - padding
        samples = F.pad(samples, (length, length))[kept]
        return take(samples, crops(samples.shape[0], length, self.extraction))


def normalise(frames: Tensor, options: Normalisation) -> Tensor:
    """Shift and scale frames (1, frames, bins); see `features.normalisation.normalise`."""
    if options.inside_network:
        return frames
    centred = frames - frames.mean(dim=1, keepdim=True)
    if options.mean == "utterance":
        frames = centred
    if options.scale == "utterance":
        deviation = centred.square().mean(dim=1, keepdim=True).sqrt()
        return frames / deviation.clamp(min=SCALE_FLOOR)
    assert isinstance(options.scale, float)
    return frames / torch.tensor(options.scale)
