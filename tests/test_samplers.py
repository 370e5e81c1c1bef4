"""Batches of P speakers x K sections: what holds for every batch, and for an epoch."""

from itertools import combinations

import numpy as np
import pytest

from deep_speaker.dataset import Section
from deep_speaker.samplers import SpeakerBatches

CHUNK = 20


def make_utterances(counts: list[int], num_frames: int) -> dict[str, list[Section]]:
    """Utterances of speakers who have `counts` each; lengths differ a little."""
    return {
        f"s{speaker}": [Section(f"s{speaker}-{i}", 0, num_frames + i) for i in range(count)]
        for speaker, count in enumerate(counts)
    }


def overlap(first: Section, second: Section) -> bool:
    return first.utterance == second.utterance and (
        max(first.start, second.start) < min(first.stop, second.stop)
    )


@pytest.mark.parametrize(
    ("counts", "num_frames"),
    [
        ([9] * 7, 60),
        ([1] * 7, 200),  # single-utterance speakers
        ([1, 2, 3, 4, 5, 6, 7], 100),
        ([1, 2, 3, 4, 5, 6, 7], 4),  # far shorter than a chunk
    ],
)
@pytest.mark.parametrize(("speakers_per_batch", "per_speaker"), [(3, 4), (7, 2), (5, 1)])
def test_every_batch_is_p_by_k_without_overlap(
    counts: list[int], num_frames: int, speakers_per_batch: int, per_speaker: int
) -> None:
    utterances = make_utterances(counts, num_frames)
    names = list(utterances)
    lengths = {s.utterance: s.num_frames for found in utterances.values() for s in found}
    sampler = SpeakerBatches(utterances, speakers_per_batch, per_speaker, CHUNK)
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
def test_every_speaker_comes_once_before_any_comes_again(speakers_per_batch: int) -> None:
    sampler = SpeakerBatches(make_utterances([3] * 7, 50), speakers_per_batch, 2, CHUNK)
    batches = sampler.epoch(7 * 6, np.random.default_rng(1))
    dealt = [speaker for _, labels in batches for speaker in labels[::2]]
    rounds = np.array(dealt).reshape(-1, 7)
    assert (np.sort(rounds) == np.arange(7)).all()
    assert len({tuple(one) for one in rounds.tolist()}) > 1  # in random order


def test_full_chunks_are_cut_anywhere_in_long_utterances() -> None:
    sampler = SpeakerBatches(make_utterances([1, 1], 50), 2, 1, CHUNK)
    starts = [
        section.start
        for sections, _ in sampler.epoch(600, np.random.default_rng(2))
        for section in sections
        if section.num_frames == CHUNK
    ]
    assert len(starts) == 1200
    assert set(starts) == set(range(31))  # 0 to 50 - 20


def test_different_utterances_come_before_parts_of_one() -> None:
    sampler = SpeakerBatches(make_utterances([4, 2], 100), 2, 4, CHUNK)
    for sections, labels in sampler.epoch(20, np.random.default_rng(3)):
        used = [section.utterance for section, label in zip(sections, labels, strict=True)]
        assert {used.count(f"s0-{i}") for i in range(4)} == {1}
        assert {used.count(f"s1-{i}") for i in range(2)} == {2}


def test_fewer_speakers_than_asked_for_keep_the_batch_size() -> None:
    sampler = SpeakerBatches(make_utterances([5] * 3, 60), 12, 2, CHUNK)
    sections, labels = next(sampler.epoch(1, np.random.default_rng(0)))
    assert np.bincount(labels).tolist() == [8, 8, 8]
    assert not any(overlap(*pair) for pair in combinations(sections, 2))


def test_utterances_of_one_frame_still_fill_a_batch() -> None:
    utterances = {name: [Section(f"{name}-0", 0, 1)] for name in ("a", "b")}
    sections, labels = next(
        SpeakerBatches(utterances, 2, 3, CHUNK).epoch(1, np.random.default_rng())
    )
    assert np.bincount(labels).tolist() == [3, 3]
    assert {section.num_frames for section in sections} == {1}


def test_the_chunks_of_the_speech_by_hand() -> None:
    utterances = {"a": [Section("a-0", 0, 65), Section("a-1", 0, 7)], "b": [Section("b-0", 0, 40)]}
    assert SpeakerBatches(utterances, 2, 1, CHUNK).count_chunks(CHUNK) == 3 + 1 + 2


def test_the_seed_decides_the_batches() -> None:
    sampler = SpeakerBatches(make_utterances([1, 2, 3, 4], 90), 3, 2, CHUNK)
    first, again, other = (
        list(sampler.epoch(10, np.random.default_rng(seed))) for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other
