"""The split of training speakers."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from deep_speaker.config import HeldOut
from deep_speaker.corpora.speaker_splits import (
    describe_held_out,
    original_speaker,
    split_for_scoring,
    split_speakers,
)
from support.tiny_data import make_experiment
from support.tiny_xvectors import write_data_dir


def names(count: int) -> list[str]:
    return [f"s{i:03}" for i in range(count)]


def utterances(speakers: Iterable[str], each: int = 2) -> dict[str, str]:
    """Make an utt2spk of speakers with equally many utterances."""
    return {f"{name}-{i}": name for name in speakers for i in range(each)}


@pytest.mark.parametrize(
    ("count", "share", "most", "expected"),
    [
        (100, 0.1, 200, 10),
        (100, 0.5, 20, 20),
        (100, 0, 200, 2),  # at least two
        (5, 0.9, 200, 3),  # two are left to train
        (4, 0.1, 1, 2),
    ],
)
@pytest.mark.parametrize("each", [1, 2])
def test_how_many_are_held_out(
    count: int, share: float, most: int, expected: int, each: int
) -> None:
    options = HeldOut(speaker_share=share, max_speakers=most)
    training, held_out = split_speakers(utterances(names(count), each), options, seed=0)
    assert len(held_out) == expected
    assert sorted(training + held_out) == names(count)
    assert training == sorted(training)


@pytest.mark.parametrize("each", [1, 2])
def test_the_seed_decides_who_is_held_out_not_the_order_of_utterances(each: int) -> None:
    options = HeldOut(speaker_share=0.2)
    utt2spk = utterances(names(50), each)
    first = split_speakers(utt2spk, options, seed=1)
    assert split_speakers(dict(reversed(utt2spk.items())), options, seed=1) == first
    others = [split_speakers(utt2spk, options, seed=seed)[1] for seed in range(2, 40)]
    assert first[1] not in others
    assert set(names(50)) == {name for held_out in others for name in held_out}


def test_where_all_have_several_utterances_a_seed_draws_whom_it_always_drew() -> None:
    """By the code of earlier commits, whose checkpoints are judged by the same speakers."""
    draws = split_speakers(utterances(names(20)), HeldOut(speaker_share=0.2), seed=1)
    assert draws[1] == ["s001", "s010", "s016", "s018"]
    draws = split_speakers(utterances(names(300), 5), HeldOut(speaker_share=0.03), seed=7)
    assert draws[1] == ["s020", "s041", "s074", "s098", "s144", "s152", "s193", "s194", "s265"]


@pytest.mark.parametrize(
    ("several", "share", "expected", "told"),
    [
        (30, 0.1, 10, "10 are held out"),
        (14, 0.1, 7, "7 are held out, not 10: at most half of the 14 of several utterances"),
        (4, 0, 2, "2 are held out"),
    ],
)
def test_speakers_of_several_utterances_are_held_out_but_not_most_of_them(
    several: int, share: float, expected: int, told: str
) -> None:
    utt2spk = utterances(names(100)[:several], 3) | utterances(names(100)[several:], 1)
    options = HeldOut(speaker_share=share)
    drawn = set()
    for seed in range(40):
        training, held_out = split_speakers(utt2spk, options, seed)
        assert len(held_out) == expected
        assert sorted(training + held_out) == names(100)
        assert describe_held_out(utt2spk, held_out, options) == told
        drawn |= set(held_out)
    assert drawn == set(names(several))


def test_three_speakers_of_several_utterances_are_too_few_to_be_held_out_alone() -> None:
    utt2spk = utterances(names(3)) | utterances(names(40)[3:], 1)
    options = HeldOut(speaker_share=1)
    held_out = split_speakers(utt2spk, options, seed=0)[1]
    assert len(held_out) == 38
    alone = len(set(held_out) - set(names(3)))
    assert describe_held_out(utt2spk, held_out, options) == (
        f"38 are held out, {alone} of them judged by parts of their only utterance"
    )


def test_copies_give_no_speaker_several_utterances(tmp_path: Path) -> None:
    """Whether training reads a set with its copies or scoring the set alone, one split follows."""
    plain = utterances(names(10)) | utterances(names(40)[10:], 1)
    noisy = {f"{key}-noise": name for key, name in plain.items()}
    fast = {f"sp1.1-{key}": f"sp1.1-{name}" for key, name in plain.items()}
    write_data_dir(tmp_path / "train", plain)
    write_data_dir(tmp_path / "train_augmented", plain | noisy | fast)
    originals = {key: re.sub(r"^sp1\.1-|-noise$", "", key) for key in plain | noisy | fast}
    rows = "".join(f"{key} {original}\n" for key, original in sorted(originals.items()))
    (tmp_path / "train_augmented/utt2uniq").write_text(rows)
    experiment = make_experiment(held_out={"speaker_share": 0.1})
    training, held_out = split_for_scoring(tmp_path / "train", experiment)
    assert len(held_out) == 4
    assert set(held_out) < set(names(10))
    with_copies = split_for_scoring(tmp_path / "train_augmented", experiment)
    assert with_copies == (sorted(training + [f"sp1.1-{name}" for name in training]), held_out)


def test_fewer_than_four_speakers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^3 training speakers: .*\b4 .*\b2 "):
        split_speakers(utterances(names(3)), HeldOut(), seed=0)


def test_speakers_at_another_speed_are_on_the_side_of_their_originals() -> None:
    options = HeldOut(speaker_share=0.2)
    speeds = ("", "sp0.9-", "sp1.1-")
    everyone = utterances(f"{speed}{name}" for speed in speeds for name in names(20))
    training, held_out = split_speakers(everyone, options, seed=1)
    alone = split_speakers(utterances(names(20)), options, seed=1)
    assert alone[1] == held_out  # copies or not
    assert len(held_out) == 4
    kept = set(names(20)) - set(held_out)
    assert training == sorted(f"{s}{name}" for s in speeds for name in kept)
    few = utterances(f"{s}{name}" for s in speeds for name in names(3))
    with pytest.raises(ValueError, match=r"^3 training speakers"):
        split_speakers(few, options, seed=0)


def test_speakers_who_only_look_like_copies_are_held_out_as_they_are() -> None:
    """A Kaldi directory may be of speed-perturbed speakers alone."""
    names = [f"sp0.9-s{i}" for i in range(8)] + ["s0", "s1"]
    training, held_out = split_speakers(utterances(names), HeldOut(speaker_share=0.5), seed=0)
    assert len(held_out) == 4
    assert not {original_speaker(name) for name in training} & set(held_out)
    assert set(training) | set(held_out) <= set(names)
    for name in held_out:
        assert name in names
