"""Batches of P speakers x K chunks: what holds for every batch of every sampler."""

import hashlib
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from deep_speaker.features.source import Section
from deep_speaker.training.samplers import SAMPLERS
from support.sampled_batches import CHUNK, COUNTS, build, make_utterances, overlap


@pytest.mark.parametrize(
    ("counts", "num_frames"),
    [
        ([9] * 7, 60),
        ([1] * 7, 200),  # single-utterance speakers
        (COUNTS, 100),
        (COUNTS, 4),  # far shorter than a chunk
    ],
)
@pytest.mark.parametrize(("speakers_per_batch", "per_speaker"), [(3, 4), (7, 2), (5, 1)])
@pytest.mark.parametrize("sampling", ["balanced", "over", "under", "stratified"])
def test_every_batch_is_p_by_k_without_overlap(
    counts: list[int], num_frames: int, speakers_per_batch: int, per_speaker: int, sampling: str
) -> None:
    utterances = make_utterances(counts, num_frames)
    names = list(utterances)
    lengths = {s.utterance: s.num_frames for found in utterances.values() for s in found}
    sampler = build(utterances, speakers_per_batch, per_speaker, sampling)
    assert sampler.batch_size == speakers_per_batch * per_speaker
    for sections, labels in sampler.epoch(40, np.random.default_rng(0)):
        assert len(sections) == len(labels) == speakers_per_batch * per_speaker
        assert sorted(np.bincount(labels, minlength=7))[-speakers_per_batch:] == (
            [per_speaker] * speakers_per_batch
        )
        assert [names[label] for label in labels] == [s.utterance.split("-")[0] for s in sections]
        assert not any(overlap(*pair) for pair in combinations(sections, 2))
        for section in sections:
            assert 0 <= section.start < section.stop <= lengths[section.utterance]
            assert section.num_frames <= CHUNK


@pytest.mark.parametrize("speakers_per_batch", [1, 3, 4, 7])
@pytest.mark.parametrize("sampling", ["balanced", "over", "under"])
def test_every_speaker_comes_once_before_any_comes_again(
    speakers_per_batch: int, sampling: str
) -> None:
    sampler = build(make_utterances([3] * 7, 50), speakers_per_batch, 2, sampling)
    batches = sampler.epoch(7 * 6, np.random.default_rng(1))
    dealt = [speaker for _, labels in batches for speaker in labels[::2]]
    rounds = np.array(dealt).reshape(-1, 7)
    assert (np.sort(rounds) == np.arange(7)).all()
    assert len({tuple(one) for one in rounds.tolist()}) > 1  # in random order


def test_full_chunks_are_cut_anywhere_in_long_utterances() -> None:
    sampler = build(make_utterances([1, 1], 50), 2, 1)
    starts = [
        section.start
        for sections, _ in sampler.epoch(600, np.random.default_rng(2))
        for section in sections
        if section.num_frames == CHUNK
    ]
    assert len(starts) == 1200
    assert set(starts) == set(range(31))  # 0 to 50 - 20


def test_different_utterances_come_before_parts_of_one() -> None:
    sampler = build(make_utterances([4, 2], 100), 2, 4)
    for sections, labels in sampler.epoch(20, np.random.default_rng(3)):
        assert len(sections) == len(labels) == 8
        drawn = Counter(section.utterance for section in sections)
        assert drawn == {f"s0-{i}": 1 for i in range(4)} | {"s1-0": 2, "s1-1": 2}


@pytest.mark.parametrize("sampling", ["balanced", "over", "under", "stratified"])
def test_fewer_speakers_than_asked_for_keep_the_batch_size(sampling: str) -> None:
    sampler = build(make_utterances([5] * 3, 60), 12, 2, sampling)
    sections, labels = next(sampler.epoch(1, np.random.default_rng(0)))
    assert np.bincount(labels).tolist() == [8, 8, 8]
    assert not any(overlap(*pair) for pair in combinations(sections, 2))


def test_utterances_of_one_frame_still_fill_a_batch() -> None:
    utterances = {name: [Section(f"{name}-0", 0, 1)] for name in ("a", "b")}
    sections, labels = next(build(utterances, 2, 3).epoch(1, np.random.default_rng()))
    assert np.bincount(labels).tolist() == [3, 3]
    assert {section.num_frames for section in sections} == {1}


def test_the_draws_of_the_balanced_sampler_stay_as_they_were() -> None:
    """As in the first version, with which the published results were trained."""
    sampler = build(make_utterances(COUNTS, 60), 3, 2)
    drawn = list(sampler.epoch(50, np.random.default_rng(0)))
    plain = [([tuple(section) for section in sections], labels) for sections, labels in drawn]
    digest = hashlib.sha256(repr(plain).encode()).hexdigest()
    assert digest[:16] == "e064197681a8dc70"


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_speakers_of_too_few_utterances_are_never_drawn(sampling: str) -> None:
    sampler = build(make_utterances([1, 3, 2, 5], 60), 2, 2, sampling, min_utterances=3)
    batches = list(sampler.epoch(12, np.random.default_rng(0)))
    assert {number for _, labels in batches for number in labels} == {1, 3}  # their own numbers
    for sections, labels in batches:
        assert [int(section.utterance[1]) for section in sections] == labels


def test_two_speakers_have_to_be_left() -> None:
    with pytest.raises(ValueError, match=r"^1 of 3 .* 4 .*min_utterances"):
        build(make_utterances([1, 3, 4], 60), 2, 2, min_utterances=4)


@pytest.mark.parametrize("sampling", SAMPLERS)
@pytest.mark.parametrize("counts", [[9] * 5, [1, 2, 3, 4, 5]])
def test_chunks_of_pieces_take_different_utterances(sampling: str, counts: list[int]) -> None:
    sampler = build(make_utterances(counts, 120), 4, 2, sampling, pieces_per_chunk=4)
    for sections, labels in sampler.epoch(20, np.random.default_rng(0)):
        assert len(labels) == 8
        assert len(sections) == 8 * 4
        for chunk, label in enumerate(labels):
            pieces = sections[4 * chunk : 4 * chunk + 4]
            assert {piece.num_frames for piece in pieces} == {CHUNK // 4}
            utterances = {piece.utterance for piece in pieces}
            assert {name.split("-")[0] for name in utterances} == {f"s{label}"}
            assert len(utterances) == min(4, counts[label])
        if sampling != "pairs":
            assert not any(overlap(*pair) for pair in combinations(sections, 2))


def test_a_long_utterance_gives_a_chunk_no_two_pieces_where_there_are_others() -> None:
    utterances = {
        key: [Section(f"{key}-{i}", 0, size) for i, size in enumerate((900, 50, 50))]
        for key in ("a", "b")
    }
    sampler = build(utterances, 2, 2, pieces_per_chunk=2)
    for sections, _ in sampler.epoch(20, np.random.default_rng(0)):
        for first, second in zip(sections[::2], sections[1::2], strict=True):
            assert first.utterance != second.utterance


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_the_seed_decides_the_batches(sampling: str) -> None:
    sampler = build(make_utterances([1, 2, 3, 4], 90), 3, 2, sampling)
    first, again, other = (
        list(sampler.epoch(10, np.random.default_rng(seed))) for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other
    shorter = list(sampler.epoch(4, np.random.default_rng(5)))
    assert shorter == first[:4]
