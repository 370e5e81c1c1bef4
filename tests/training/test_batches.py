"""Batches for the network: their frames, their augmentation, the thread that makes them ahead."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.kaldi.tables import write_table
from deep_speaker.system.processes import ahead
from deep_speaker.training.batches import (
    BATCHES_AHEAD,
    TYPICAL_DEVIATION,
    Batch,
    log_unit,
    make_batches,
)
from deep_speaker.training.chunk_augmentation import augment, random_equaliser
from support.tiny_data import MELS, make_experiment, make_frames, write_features

DRAWN = [
    ([Section("s00-0", 0, 24), Section("s01-1", 3, 10)], [0, 1]),
    ([Section("s01-0", 5, 29), Section("s00-1", 1, 25)], [1, 0]),
]


KEY = (3, 0, 1)


def own_rng(batch: int, chunk: int) -> np.random.Generator:
    """The random numbers of a chunk, by its place alone."""
    return np.random.default_rng(np.random.SeedSequence(KEY, spawn_key=(batch, chunk)))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "train"
    return write_features(folder, make_frames(2, 2), make_experiment())


@pytest.fixture(scope="module")
def source(data_dir: Path) -> FeatureSource:
    return FeatureSource(data_dir, make_experiment())


def make(
    source: FeatureSource,
    drawn: list[tuple[list[Section], list[int]]],
    experiment: Experiment,
    key: tuple[int, ...] = KEY,
) -> list[Batch]:
    return list(make_batches(source, drawn, experiment.first_phase, experiment, key))


@pytest.mark.parametrize(("scale", "unit"), [(2.0, 2.0), ("utterance", TYPICAL_DEVIATION)])
def test_batches_are_the_sections_augmented_in_natural_log_units(
    source: FeatureSource, scale: float | str, unit: float
) -> None:
    experiment = make_experiment(
        pretraining={"augmentation": {"equaliser_db": 4}}, normalisation={"scale": scale}
    )
    batches = make(source, DRAWN, experiment)
    for number, (batch, (sections, labels)) in enumerate(zip(batches, DRAWN, strict=True)):
        expected = source.read_chunks(sections, 24)
        for i, chunk in enumerate(expected):
            rng = own_rng(number, i)
            rng.random()  # whether there is noise
            chunk += random_equaliser(MELS, 4, rng) / np.float32(unit)
        assert batch.chunks.shape == (2, 24, MELS)
        assert batch.chunks.dtype == torch.float32
        assert np.array_equal(batch.chunks.numpy(), expected)
        assert batch.labels.tolist() == labels
        assert batch.labels.dtype == torch.int64


def test_decibels_are_augmented_in_natural_log_units_of_power() -> None:
    units = {"front_end": "speechbrain", "num_mels": MELS}
    for scale, mean, unit in ((2.0, "utterance", 2 / 4.343), ("chunk", "chunk", 1 / 4.343)):
        normalisation = {"scale": scale, "mean": mean}
        experiment = make_experiment(features=units, normalisation=normalisation)
        assert log_unit(experiment) == pytest.approx(unit, rel=1e-4)


def test_log_magnitudes_are_augmented_in_natural_log_units_of_power() -> None:
    for power, unit in ((1, 2), (2, 1)):
        features = {"front_end": "torchaudio", "power": power, "num_mels": MELS}
        normalisation = {"scale": "chunk", "mean": "chunk"}
        experiment = make_experiment(features=features, normalisation=normalisation)
        assert log_unit(experiment) == unit


def test_where_the_network_normalises_masks_stand_for_the_mean_of_the_chunk(data_dir: Path) -> None:
    experiment = make_experiment(
        normalisation={"mean": "chunk", "scale": "chunk"},
        pretraining={"augmentation": {"equaliser_db": 4, "time_mask_frames": 10}},
    )
    source = FeatureSource(data_dir, experiment)
    batches = make(source, DRAWN, experiment)
    for number, (batch, (sections, _)) in enumerate(zip(batches, DRAWN, strict=True)):
        plain = source.read_chunks(sections, 24)
        assert plain.mean() > 5  # as stored
        centred = plain - plain.mean(axis=1, keepdims=True)
        for i, chunk in enumerate(centred):
            augment(chunk, experiment.first_phase.augmentation, 1, own_rng(number, i))
        assert np.array_equal(batch.chunks.numpy(), centred)
    untouched = make_experiment(
        normalisation={"mean": "chunk", "scale": "chunk"}, pretraining={"augmentation": {}}
    )
    for batch in make(source, DRAWN, untouched):
        assert batch.chunks.mean(dim=1).abs().max() < 1e-4


def test_chunks_are_stitched_from_pieces_of_a_speaker(source: FeatureSource) -> None:
    experiment = make_experiment(pretraining={"augmentation": {}, "pieces_per_chunk": 3})
    sections = [
        *(Section("s00-0", 0, 8), Section("s00-1", 5, 13), Section("s00-0", 20, 28)),
        *(Section("s01-0", 7, 15), Section("s01-1", 0, 3), Section("s01-0", 40, 48)),
    ]
    (batch,) = make(source, [(sections, [0, 1])], experiment)
    assert batch.chunks.shape == (2, 24, MELS)
    assert batch.labels.tolist() == [0, 1]
    for chunk, pieces in zip(batch.chunks.numpy(), (sections[:3], sections[3:]), strict=True):
        for at, piece in zip((0, 8, 16), pieces, strict=True):
            frames = source.read(piece)  # a short one repeats from its beginning
            expected = frames[np.arange(8) % len(frames)]
            assert np.array_equal(chunk[at : at + 8], expected)


def test_chunks_are_of_an_utterance_or_its_copies_at_the_same_place(tmp_path: Path) -> None:
    experiment = make_experiment(pretraining={"augmentation": {}})
    frames = make_frames(2, 1)
    copies = {f"s00-0-{name}": frames["s00-0"] * (i + 2) for i, name in enumerate(("a", "b"))}
    folder = write_features(tmp_path / "train", frames | copies, experiment)
    write_table(folder / "utt2uniq", {key: key[:5] for key in frames | copies})
    source = FeatureSource(folder, experiment)
    sections = [Section("s00-0", 3, 27), Section("s01-0", 5, 29)]
    versions = [
        source.read(sections[0]._replace(utterance=key)) for key in ("s00-0", *sorted(copies))
    ]
    counts = [0, 0, 0]
    for batch in make(source, [(sections, [0, 1])] * 60, experiment):
        chunk, other = batch.chunks.numpy()
        counts[[np.array_equal(chunk, version) for version in versions].index(True)] += 1
        assert np.array_equal(other, source.read(sections[1]))
    assert min(counts) > 8  # of 20 expected


def test_each_chunk_is_changed_by_its_own_numbers(source: FeatureSource) -> None:
    """By the key, the batch and its place there; and the same again."""
    experiment = make_experiment(pretraining={"augmentation": {"equaliser_db": 4}})
    drawn = [([Section("s00-0", 0, 24)] * 2, [0, 1])] * 2
    batches = make(source, drawn, experiment)
    again = make(source, drawn, experiment)
    assert all(torch.equal(a.chunks, b.chunks) for a, b in zip(batches, again, strict=True))
    other = make(source, drawn, experiment, key=(3, 0, 2))
    made = torch.cat([batch.chunks for batch in (*batches, *other)])
    for i in range(8):
        for j in range(i):
            assert not torch.allclose(made[i], made[j], atol=0.01)


def count_to(number: int, made: list[int]) -> Iterator[Batch]:
    for i in range(number):
        made.append(threading.get_ident())
        yield Batch(torch.tensor(i), torch.tensor(i))


@pytest.mark.parametrize("number", [0, 1, BATCHES_AHEAD, 23])
def test_batches_made_ahead_keep_their_order(number: int) -> None:
    made: list[int] = []
    found = [int(batch.chunks) for batch in ahead(count_to(number, made), BATCHES_AHEAD)]
    assert found == list(range(number))
    assert threading.get_ident() not in made


def test_a_consumer_that_stops_leaves_only_the_batches_made_ahead() -> None:
    made: list[int] = []
    batches = ahead(count_to(1000, made), BATCHES_AHEAD)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert 1 <= len(made) <= BATCHES_AHEAD + 1 < 20  # they lie in memory


def test_an_error_while_making_a_batch_reaches_the_training() -> None:
    def broken() -> Iterator[Batch]:
        yield from count_to(2, [])
        raise ValueError("damaged archive")

    found = []
    with pytest.raises(ValueError, match="damaged archive"):
        for batch in ahead(broken(), BATCHES_AHEAD):
            found.append(int(batch.chunks))
    assert found == [0, 1]
