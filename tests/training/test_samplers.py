"""Samplers: the batches of an epoch, and how often each speaker and utterance comes."""

from collections import Counter

import numpy as np
import pytest

from deep_speaker.features.source import Section
from support.sampled_batches import COUNTS, build, make_utterances, overlap, used


@pytest.mark.parametrize("sampling", ["balanced", "pairs"])
def test_one_pass_over_the_chunks_by_hand(sampling: str) -> None:
    utterances = {"a": [Section("a-0", 0, 165), Section("a-1", 0, 7)], "b": [Section("b-0", 0, 80)]}
    assert build(utterances, 2, 2, sampling).batches_per_epoch() == (8 + 1 + 4) // 4
    longer = build(utterances, 2, 2, sampling, chunk_frames=40)
    assert longer.batches_per_epoch() == (4 + 1 + 2) // 4
    assert build(utterances, 2, 20, sampling).batches_per_epoch() == 1


@pytest.mark.parametrize(
    ("sampling", "batches"),
    [
        ("over", 14),  # 7 speakers, 4 rounds of 2 utterances for the 7 of the last; 28 / 2
        ("under", 3),  # 1 round for the one utterance of the first; 7 // 2
        ("stratified", 8),  # 1, 1, 2, 2, 3, 3, 4 visits; 16 / 2
    ],
)
def test_the_batches_of_an_epoch_by_hand(sampling: str, batches: int) -> None:
    assert build(make_utterances(COUNTS, 60), 2, 2, sampling).batches_per_epoch() == batches


def test_over_sampling_passes_over_the_largest_speaker_and_repeats_the_others() -> None:
    sampler = build(make_utterances([2, 4, 8], 60), 3, 2, "over")
    assert sampler.batches_per_epoch() == 4
    drawn = used(sampler, 4)
    assert drawn == (
        {f"s0-{i}": 4 for i in range(2)}
        | {f"s1-{i}": 2 for i in range(4)}
        | {f"s2-{i}": 1 for i in range(8)}
    )
    assert set(used(sampler, 8).values()) == {8, 4, 2}  # the epoch repeated
    assert used(sampler, 3).total() == 18  # and cut


def test_under_sampling_takes_as_many_of_each_speaker_as_the_smallest_has() -> None:
    sampler = build(make_utterances([4, 8, 40], 60), 3, 2, "under")
    assert sampler.batches_per_epoch() == 2
    epochs = [used(sampler, 2, seed) for seed in range(30)]
    for drawn in epochs:
        assert set(drawn.values()) == {1}
        assert Counter(name[:2] for name in drawn) == {"s0": 4, "s1": 4, "s2": 4}
    assert len({tuple(sorted(drawn)) for drawn in epochs}) > 20  # others next time
    assert len(set().union(*epochs)) > 0.9 * (4 + 8 + 40)  # sooner or later nearly all


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("counts", "speakers_per_batch", "per_speaker"),
    [
        ([2, 4, 6, 8, 10, 12], 3, 2),
        ([1] * 50 + [25] * 2, 4, 1),
        ([12, 2, 2, 2, 2, 2, 2], 2, 2),  # the first has to be in every batch
    ],
)
def test_stratified_passes_once_over_every_utterance(
    counts: list[int], speakers_per_batch: int, per_speaker: int, seed: int
) -> None:
    sampler = build(make_utterances(counts, 60), speakers_per_batch, per_speaker, "stratified")
    num_batches = sum(counts) // (speakers_per_batch * per_speaker)
    assert sampler.batches_per_epoch() == num_batches
    drawn = used(sampler, num_batches, seed)
    assert len(drawn) == sum(counts)
    assert set(drawn.values()) == {1}


@pytest.mark.parametrize("counts", [COUNTS, [30, 2, 1], [1, 1, 1]])
@pytest.mark.parametrize(("speakers_per_batch", "per_speaker"), [(2, 2), (3, 4), (3, 1)])
def test_stratified_leaves_no_utterance_out_where_batches_do_not_fit(
    counts: list[int], speakers_per_batch: int, per_speaker: int
) -> None:
    sampler = build(make_utterances(counts, 90), speakers_per_batch, per_speaker, "stratified")
    drawn = used(sampler, sampler.batches_per_epoch())
    assert len(drawn) == sum(counts)


def test_stratified_draws_speakers_in_proportion_to_what_is_left() -> None:
    sampler = build(make_utterances([100, 200, 300], 60), 1, 1, "stratified")
    first = Counter(
        labels[0]
        for seed in range(1200)
        for _, labels in sampler.epoch(1, np.random.default_rng(seed))
    )
    assert [first[speaker] / 1200 for speaker in range(3)] == pytest.approx(
        [1 / 6, 1 / 3, 1 / 2], abs=0.05
    )


@pytest.mark.parametrize("counts", [[9] * 7, COUNTS, [1] * 7, [3, 3]])
def test_pairs_are_of_one_speaker_and_of_two_in_turn(counts: list[int]) -> None:
    sampler = build(make_utterances(counts, 60), 5, 2, "pairs")
    assert sampler.batch_size == 10
    speakers: Counter[int] = Counter()
    for sections, labels in sampler.epoch(70, np.random.default_rng(0)):
        assert len(sections) == len(labels) == 10
        assert [f"s{label}" for label in labels] == [s.utterance.split("-")[0] for s in sections]
        for pair in range(5):
            first, second = sections[2 * pair : 2 * pair + 2]
            same = labels[2 * pair] == labels[2 * pair + 1]
            assert same == (pair % 2 == 0)
            assert not overlap(first, second)
            if same and counts[labels[2 * pair]] > 1:
                assert first.utterance != second.utterance
            speakers.update(set(labels[2 * pair : 2 * pair + 2]))
    assert max(speakers.values()) - min(speakers.values()) <= 1


@pytest.mark.parametrize(("speakers_per_batch", "per_speaker"), [(3, 3), (2, 1), (5, 1)])
def test_pairs_need_an_even_batch(speakers_per_batch: int, per_speaker: int) -> None:
    size = speakers_per_batch * per_speaker
    with pytest.raises(ValueError, match=f" {size}, "):
        build(make_utterances([5] * 3, 60), speakers_per_batch, per_speaker, "pairs")
