"""The split of training speakers."""

import pytest

from deep_speaker.config import HeldOut
from deep_speaker.corpora.speaker_splits import original_speaker, split_speakers


def names(count: int) -> list[str]:
    return [f"s{i:03}" for i in range(count)]


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
def test_how_many_are_held_out(count: int, share: float, most: int, expected: int) -> None:
    options = HeldOut(speaker_share=share, max_speakers=most)
    training, held_out = split_speakers(names(count), options, seed=0)
    assert len(held_out) == expected
    assert sorted(training + held_out) == names(count)
    assert training == sorted(training)


def test_the_seed_decides_who_is_held_out_not_the_order_of_speakers() -> None:
    options = HeldOut(speaker_share=0.2)
    first = split_speakers(names(50), options, seed=1)
    assert split_speakers(names(50)[::-1], options, seed=1) == first
    others = [split_speakers(names(50), options, seed=seed)[1] for seed in range(2, 40)]
    assert first[1] not in others
    assert set(names(50)) == {name for held_out in others for name in held_out}


def test_fewer_than_four_speakers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^3 training speakers: .*\b4 .*\b2 "):
        split_speakers(names(3), HeldOut(), seed=0)


def test_speakers_at_another_speed_are_on_the_side_of_their_originals() -> None:
    options = HeldOut(speaker_share=0.2)
    everyone = [f"{speed}{name}" for speed in ("", "sp0.9-", "sp1.1-") for name in names(20)]
    training, held_out = split_speakers(everyone, options, seed=1)
    assert split_speakers(names(20), options, seed=1)[1] == held_out  # copies or not
    assert len(held_out) == 4
    kept = set(names(20)) - set(held_out)
    assert training == sorted(f"{s}{name}" for s in ("", "sp0.9-", "sp1.1-") for name in kept)
    with pytest.raises(ValueError, match=r"^3 training speakers"):
        split_speakers([f"{s}{name}" for s in ("", "sp0.9-") for name in names(3)], options, seed=0)


def test_speakers_who_only_look_like_copies_are_held_out_as_they_are() -> None:
    """A Kaldi directory may be of speed-perturbed speakers alone."""
    names = [f"sp0.9-s{i}" for i in range(8)] + ["s0", "s1"]
    training, held_out = split_speakers(names, HeldOut(speaker_share=0.5), seed=0)
    assert len(held_out) == 4
    assert not {original_speaker(name) for name in training} & set(held_out)
    assert set(training) | set(held_out) <= set(names)
    for name in held_out:
        assert name in names
