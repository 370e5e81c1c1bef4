"""The judge of epochs: the verification error of the held-out speakers."""

from collections import ChainMap
from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch

from deep_speaker.config import Experiment
from deep_speaker.embeddings.inference import embed_utterance, for_inference
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.networks.pace import Precision
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.training import ranks


class Judge:
    """Judges by all pairs of the held-out speakers' sections.

    See `FeatureSource.sections_by_speaker`. Crops are cut from their frames, also where those of
    the extraction are cut from samples: audio is not read again for every epoch.
    """

    def __init__(
        self, source: FeatureSource, speakers: Sequence[str], experiment: Experiment
    ) -> None:
        self._source = source
        self._extraction = experiment.extraction
        sections = source.sections_by_speaker(
            speakers,
            experiment.first_phase.chunk_frames,
            experiment.held_out.segments_per_speaker,
        )
        self.sections: list[Section] = [part for parts in sections.values() for part in parts]
        labels = np.repeat(np.arange(len(sections)), [len(parts) for parts in sections.values()])
        self._pairs = np.triu_indices(len(labels), 1)
        self._is_target = labels[self._pairs[0]] == labels[self._pairs[1]]

    def embed(
        self,
        network: EmbeddingNetwork,
        device: torch.device,
        precision: Precision,
        together: bool = False,
    ) -> np.ndarray:
        """Embed the sections: unit length, shape (sections, dim).

        Args:
            precision: that of the training, whatever the extraction's: epochs are compared with
                each other alone.
            together: every rank, which has to call it, embeds a part; all get the whole.
        """
        network = for_inference(network, device, precision)
        first, step = (ranks.rank(), ranks.world_size()) if together else (0, 1)
        embeddings = {
            number: embed_utterance(network, self._source.read(section), self._extraction, device)
            for number, section in islice(enumerate(self.sections), first, None, step)
        }
        if together:
            embeddings = dict(ChainMap(*ranks.gather_objects(embeddings)))
        return np.stack([embeddings[number] for number in range(len(self.sections))])

    def evaluate(self, embeddings: np.ndarray) -> tuple[float, float]:
        """Return the equal error rate and the mean cosine of all pairs, near 1 after a collapse."""
        scores = (embeddings @ embeddings.T)[self._pairs]
        return equal_error_rate(error_rates(scores, self._is_target)), float(scores.mean())
