"""Samplers of utterances that exist as sections alone."""

from collections import Counter
from typing import Any

import numpy as np

from deep_speaker.config import Training
from deep_speaker.features.source import Section
from deep_speaker.training.samplers import SpeakerBatches, build_sampler

CHUNK = 20
COUNTS = [1, 2, 3, 4, 5, 6, 7]


def make_utterances(counts: list[int], num_frames: int) -> dict[str, list[Section]]:
    """Make utterances of speakers who have `counts` each; lengths differ a little."""
    return {
        f"s{speaker}": [Section(f"s{speaker}-{i}", 0, num_frames + i) for i in range(count)]
        for speaker, count in enumerate(counts)
    }


def build(
    utterances: dict[str, list[Section]],
    speakers_per_batch: int,
    per_speaker: int,
    sampling: str = "balanced",
    **options: Any,
) -> SpeakerBatches:
    """Build a sampler of chunks of `CHUNK` frames; `options` are further ones of a phase."""
    training = {
        "loss": {"name": "contrastive" if sampling == "pairs" else "softmax"},
        "sampling": sampling,
        "chunk_frames": CHUNK,
        "speakers_per_batch": speakers_per_batch,
        "utterances_per_speaker": per_speaker,
    }
    return build_sampler(utterances, Training.model_validate(training | options))


def used(sampler: SpeakerBatches, num_batches: int, seed: int = 0) -> Counter[str]:
    """Count the times that each utterance is drawn."""
    batches = sampler.epoch(num_batches, np.random.default_rng(seed))
    return Counter(section.utterance for sections, _ in batches for section in sections)


def overlap(first: Section, second: Section) -> bool:
    """Tell whether two sections share a frame."""
    return first.utterance == second.utterance and (
        max(first.start, second.start) < min(first.stop, second.stop)
    )
