"""Batches of chunks for the network, made by a thread while it trains."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from deep_speaker.augmentation import augment
from deep_speaker.config import Training
from deep_speaker.dataset import FeatureSource, Section, read_chunks

# Log-mel frames deviate by about this much (natural log) within an utterance; it stands for the
# exact value when augmentation meets frames scaled per utterance.
TYPICAL_DEVIATION = 3.0
BATCHES_AHEAD = 4


class Batch(NamedTuple):
    """Chunks, float32 of shape (batch, frames, mels), and speakers' numbers, shape (batch,)."""

    chunks: Tensor
    labels: Tensor


def make_batches(
    source: FeatureSource,
    drawn: Iterable[tuple[list[Section], list[int]]],
    training: Training,
    scale: float | Literal["utterance"],
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Read and augment the sections that a sampler has drawn.

    Args:
        scale: of the normalisation; `rng` draws the augmentation.
    """
    unit = TYPICAL_DEVIATION if scale == "utterance" else scale
    for sections, labels in drawn:
        chunks = read_chunks(source, sections, training.chunk_frames)
        chunks = augment(chunks, training.augmentation, unit, rng)
        yield Batch(torch.from_numpy(chunks), torch.tensor(labels))


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the same batches in the same order, made by a thread while the network trains."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = deque(pool.submit(next, batches, None) for _ in range(BATCHES_AHEAD))
        while (batch := pending.popleft().result()) is not None:
            pending.append(pool.submit(next, batches, None))
            yield batch
