"""Splits of speakers: those held out of training, and test speakers of a corpus without any.

Held-out speakers judge the epochs of training, and calibrate scores.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from deep_speaker.config import Experiment, HeldOut


def split_speakers(
    speakers: Sequence[str], options: HeldOut, seed: int
) -> tuple[list[str], list[str]]:
    """Split speakers by seed into those that train and those held out, at least two of each.

    A copy at another speed is no other speaker: copies of held-out speakers are in neither list.

    Raises:
        ValueError: fewer than four speakers.
    """
    original = find_originals(speakers)
    ordered = sorted(set(original.values()))
    if len(ordered) < 4:
        raise ValueError(
            f"{len(ordered)} training speakers: at least 4 are needed, 2 of them held out: add "
            "some, or judge weights as they are (--initial-model, --stage 4)"
        )
    wanted = min(round(options.speaker_share * len(ordered)), options.max_speakers)
    count = min(max(2, wanted), len(ordered) - 2)
    drawn = np.random.default_rng(seed).permutation(len(ordered))[:count].tolist()
    held_out = [ordered[i] for i in sorted(drawn)]
    chosen = set(held_out)
    training = [name for name in sorted(speakers) if original[name] not in chosen]
    return training, held_out


def original_speaker(speaker: str) -> str:
    """Return the speaker of a copy at another speed, as Kaldi names it; any other as it is.

    >>> original_speaker("sp0.9-anna"), original_speaker("anna")
    ('anna', 'anna')
    """
    return re.sub(r"^sp[01]\.\d+-", "", speaker)


def find_originals(speakers: Iterable[str]) -> dict[str, str]:
    """Find the original of each speaker: another of them if this is a copy at another speed."""
    known = set(speakers)
    original = {name: original_speaker(name) for name in known}
    return {name: of if of in known else name for name, of in original.items()}


def split_utterances(
    utt2spk: Mapping[str, str], held_out: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Split utt2spk into speakers who train and held-out ones, without copies of the latter."""
    original = find_originals(utt2spk.values())
    return (
        {key: name for key, name in utt2spk.items() if original[name] not in held_out},
        {key: name for key, name in utt2spk.items() if name in held_out},
    )


def split_for_scoring(
    speakers: Sequence[str], experiment: Experiment
) -> tuple[list[str], list[str]]:
    """Split as `split_speakers` does; but of fewer than four, too few for a network, all train."""
    ordered = sorted(speakers)
    try:
        return split_speakers(ordered, experiment.held_out, experiment.seed)
    except ValueError:
        return ordered, []


def choose_test_speakers(speakers: Iterable[str], test_share: float, seed: int) -> set[str]:
    """Choose a random share of the speakers, at least two, to test; the others train.

    Raises:
        ValueError: fewer than 2 would train.
    """
    names = sorted(set(speakers))
    num_test = max(2, round(test_share * len(names)))
    if not 0 < test_share < 1 or len(names) - num_test < 2:
        raise ValueError(
            f"{len(names)} speakers ({', '.join(names[:3])}), of whom --test-share {test_share:g} "
            "test: at least 2 must test and 2 train"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[i] for i in order[:num_test]}
