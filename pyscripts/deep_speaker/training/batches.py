"""Batches of chunks for the network, made by a thread while it trains."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deep_speaker.config import Experiment, Training
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.networks.devices import move
from deep_speaker.training import ranks
from deep_speaker.training.chunk_augmentation import augment
from deep_speaker.training.targets import Targets

# Log-mel frames deviate by about this much (natural log) within an utterance. Augmentation takes it
# for the exact value where frames are scaled per utterance.
TYPICAL_DEVIATION = 3.0
BATCHES_AHEAD = 4  # made by a thread while the network trains


class Batch(NamedTuple):
    """Chunks of a rank, float32 of shape (chunks, frames, bins), and the speakers' numbers.

    In distillation also the teacher's embeddings, shape (chunks, teacher's dim).

    Attributes:
        labels: numbers of the speakers of all ranks' chunks, in the CPU's memory.
        utterances: those that the chunks of all ranks come from, to be named where they do harm.
    """

    chunks: Tensor
    labels: Tensor
    targets: Tensor | None = None
    utterances: Sequence[str] = ()

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its chunks and targets on a device, or on the way there."""
        targets = None if self.targets is None else move(self.targets, device)
        return self._replace(chunks=move(self.chunks, device), targets=targets)


def make_batches(
    source: FeatureSource,
    drawn: Iterable[tuple[list[Section], list[int]]],
    training: Training,
    experiment: Experiment,
    key: Sequence[int],
    targets: Targets | None = None,
    skipped: int = 0,
) -> Iterator[Batch]:
    """Read, stitch and augment this rank's part of what a sampler has drawn.

    Args:
        drawn: batches of all ranks together: sections, `training.pieces_per_chunk` of them for
            each speaker's number; the same on every rank.
        key: whole numbers that decide the random changes, with the numbers of batch and chunk: not
            the rank, so that several make the batches that one would.
        skipped: so many of the first batches are drawn, but not made: a run went that far.

    Raises:
        ValueError: the speakers of a batch, or its pairs, do not divide over the ranks.
    """
    pieces = training.pieces_per_chunk
    for number, (sections, labels) in islice(enumerate(drawn), skipped, None):
        part = part_of_rank(labels, training, ranks.rank(), ranks.world_size())
        # Every rank draws the copies of all, which is cheap, and changes its own chunks alone.
        rng = np.random.default_rng(np.random.SeedSequence(key, spawn_key=(number,)))
        sections = [draw_copy(section, source.with_copies, rng) for section in sections]
        own = sections[part.start * pieces : part.stop * pieces]
        chunks = source.read_chunks(own, training.chunk_frames // pieces)
        # The pieces of a chunk lie side by side: (chunks * pieces, piece frames, bins).
        chunks = chunks.reshape(-1, training.chunk_frames, chunks.shape[-1])
        if experiment.normalisation.inside_network:
            # The network takes the mean off anyway; taken off now, a mask's zeros stand for it.
            chunks -= chunks.mean(axis=1, keepdims=True)
        if training.augmentation.is_on:
            for chunk, values in zip(range(part.start, part.stop), chunks, strict=True):
                rng = chunk_rng(key, number, chunk)
                augment(values, training.augmentation, log_unit(experiment), rng)
        learnt = torch.from_numpy(np.stack([targets.of(each) for each in own])) if targets else None
        utterances = sorted({section.utterance for section in sections})
        yield Batch(torch.from_numpy(chunks), torch.tensor(labels), learnt, utterances)


def chunk_rng(key: Sequence[int], batch: int, chunk: int) -> np.random.Generator:
    """Return the random numbers of one chunk, by its number in the batch of all ranks."""
    return np.random.default_rng(np.random.SeedSequence(key, spawn_key=(batch, chunk)))


def draw_copy(
    section: Section, with_copies: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> Section:
    """Draw the same frames of an utterance or of one of its copies, all equally likely.

    Drawn last, so that sections of a speaker do not overlap: a copy says the same at one time.
    """
    choices = with_copies[section.utterance]
    if len(choices) == 1:
        return section
    return section._replace(utterance=choices[int(rng.integers(len(choices)))])


def log_unit(experiment: Experiment) -> float:
    """Return the number of natural-log units in one unit of normalised frames."""
    scale = experiment.normalisation.scale
    if scale == "utterance":
        return TYPICAL_DEVIATION
    return experiment.features.log_unit * (1 if scale == "chunk" else scale)


def part_of_rank(labels: Sequence[int], training: Training, rank: int, num_ranks: int) -> slice:
    """Return a rank's chunks of a batch with these speakers' numbers: whole speakers, or pairs.

    Raises:
        ValueError: they do not divide over the ranks.
    """
    pairs = training.sampling == "pairs"
    groups = len(labels) // 2 if pairs else len(set(labels))
    if groups % num_ranks:
        raise ValueError(
            f"batches of {groups} {'pairs' if pairs else 'speakers'} (speakers_per_batch "
            f"{training.speakers_per_batch}) do not divide over {num_ranks} ranks: take a multiple"
        )
    size = len(labels) // num_ranks
    return slice(rank * size, (rank + 1) * size)
