"""Splits of speakers: those held out of training, and test speakers of a corpus without any.

Held-out speakers judge the epochs of training, and calibrate scores.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment, HeldOut
from deep_speaker.kaldi.utterances import read_uncopied


def split_speakers(
    utt2spk: Mapping[str, str], options: HeldOut, seed: int
) -> tuple[list[str], list[str]]:
    """Split speakers by seed into those that train and those held out, at least two of each.

    A speaker of one utterance would be judged by parts of a recording, and calibrate nothing. So
    speakers of several are held out, at most half of those; any where fewer than four have
    several. A copy at another speed is no other speaker: copies of held-out speakers are in
    neither list.

    Args:
        utt2spk: without copies, see `read_uncopied`.

    Raises:
        ValueError: fewer than four speakers.
    """
    original = find_originals(utt2spk.values())
    everybody = sorted(set(original.values()))
    if len(everybody) < 4:
        raise ValueError(
            f"{len(everybody)} training speakers: at least 4 are needed, 2 of them held out: add "
            "some, or judge weights as they are (--initial-model, --stage 4)"
        )
    candidates = find_repeated(utt2spk, everybody)
    most = len(candidates) // 2
    if len(candidates) < 4 or candidates == everybody:
        candidates, most = everybody, len(everybody) - 2
    count = min(max(2, count_wanted(everybody, options)), most)
    drawn = np.random.default_rng(seed).permutation(len(candidates))[:count].tolist()
    held_out = [candidates[i] for i in sorted(drawn)]
    chosen = set(held_out)
    training = [name for name in sorted(original) if original[name] not in chosen]
    return training, held_out


def find_repeated(utt2spk: Mapping[str, str], speakers: Iterable[str]) -> list[str]:
    """Return those of the speakers who have several utterances in utt2spk."""
    counts = Counter(utt2spk.values())
    return [name for name in speakers if counts[name] > 1]


def count_wanted(speakers: Sequence[str], options: HeldOut) -> int:
    """Count how many of the speakers are to be held out, by their options alone."""
    return min(round(options.speaker_share * len(speakers)), options.max_speakers)


def describe_held_out(utt2spk: Mapping[str, str], held_out: Sequence[str], options: HeldOut) -> str:
    """Say how many are held out; and where too few have several utterances, what follows."""
    everybody = sorted(set(find_originals(utt2spk.values()).values()))
    alone = len(held_out) - len(find_repeated(utt2spk, held_out))
    wanted = count_wanted(everybody, options)
    text = f"{len(held_out)} are held out"
    if alone:
        return f"{text}, {alone} of them judged by parts of their only utterance"
    if len(held_out) < wanted:
        repeated = len(find_repeated(utt2spk, everybody))
        return f"{text}, not {wanted}: at most half of the {repeated} of several utterances"
    return text


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


def split_for_scoring(data_dir: Path, experiment: Experiment) -> tuple[list[str], list[str]]:
    """Split as `split_speakers` does; but of fewer than four, too few for a network, all train."""
    utt2spk = read_uncopied(data_dir)
    try:
        return split_speakers(utt2spk, experiment.held_out, experiment.seed)
    except ValueError:
        return sorted(set(utt2spk.values())), []


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
