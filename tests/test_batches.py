"""Batches for the network: what is read and augmented, and the thread that makes them ahead."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from deep_speaker.augmentation import random_equaliser
from deep_speaker.batches import BATCHES_AHEAD, TYPICAL_DEVIATION, Batch, ahead, make_batches
from deep_speaker.dataset import FeatureSource, Section, read_chunks
from tiny_data import MELS, make_experiment, make_frames, write_features

DRAWN = [
    ([Section("s00-0", 0, 24), Section("s01-1", 3, 10)], [0, 1]),
    ([Section("s01-0", 5, 29), Section("s00-1", 1, 25)], [1, 0]),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FeatureSource:
    folder = tmp_path_factory.mktemp("data") / "train"
    write_features(folder, make_frames(2, 2), make_experiment())
    return FeatureSource(folder, make_experiment())


@pytest.mark.parametrize(("scale", "unit"), [(2.0, 2.0), ("utterance", TYPICAL_DEVIATION)])
def test_batches_are_the_sections_augmented_in_natural_log_units(
    source: FeatureSource, scale: float | str, unit: float
) -> None:
    training = make_experiment(pretraining={"augmentation": {"equaliser_db": 4}}).pretraining
    batches = list(make_batches(source, DRAWN, training, scale, np.random.default_rng(3)))  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    for batch, (sections, labels) in zip(batches, DRAWN, strict=True):
        plain = read_chunks(source, sections, training.chunk_frames)
        expected = plain + random_equaliser(plain, 4, rng) / unit
        assert batch.chunks.shape == (2, training.chunk_frames, MELS)
        assert batch.chunks.dtype == torch.float32
        assert np.array_equal(batch.chunks.numpy(), expected.astype(np.float32))
        assert batch.labels.tolist() == labels
        assert batch.labels.dtype == torch.int64


def count_to(number: int, made: list[int]) -> Iterator[Batch]:
    for i in range(number):
        made.append(threading.get_ident())
        yield Batch(torch.tensor(i), torch.tensor(i))


@pytest.mark.parametrize("number", [0, 1, BATCHES_AHEAD, 23])
def test_batches_made_ahead_keep_their_order(number: int) -> None:
    made: list[int] = []
    found = [int(batch.chunks) for batch in ahead(count_to(number, made))]
    assert found == list(range(number))
    assert threading.get_ident() not in made


def test_a_consumer_that_stops_leaves_only_the_batches_made_ahead() -> None:
    made: list[int] = []
    batches = ahead(count_to(1000, made))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert 1 <= len(made) <= BATCHES_AHEAD + 1 < 20  # they lie in memory


def test_an_error_while_making_a_batch_reaches_the_training() -> None:
    def broken() -> Iterator[Batch]:
        yield from count_to(2, [])
        raise ValueError("damaged archive")

    found = []
    with pytest.raises(ValueError, match="damaged archive"):
        for batch in ahead(broken()):
            found.append(int(batch.chunks))
    assert found == [0, 1]
