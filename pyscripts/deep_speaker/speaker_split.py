"""Which training speakers are held out: they judge epochs, and calibrate scores."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment, HeldOut
from deep_speaker.dataset import original_speaker
from deep_speaker.files import read_utf8

HELD_OUT = "held_out_speakers"  # a file of an x-vector directory, a speaker a line


def split_speakers(
    speakers: Sequence[str], options: HeldOut, seed: int
) -> tuple[list[str], list[str]]:
    """Training and held-out speakers, by seed; at least two of each.

    Speakers at another speed are no others: those of held-out ones are in neither list.

    Raises:
        ValueError: fewer than four speakers.
    """
    original = find_originals(speakers)
    ordered = sorted(set(original.values()))
    if len(ordered) < 4:
        raise ValueError(
            f"{len(ordered)} training speakers: at least 4 are needed, 2 of them held out"
        )
    wanted = min(round(options.speaker_share * len(ordered)), options.max_speakers)
    count = min(max(2, wanted), len(ordered) - 2)
    drawn = np.random.default_rng(seed).permutation(len(ordered))[:count].tolist()
    held_out = [ordered[i] for i in sorted(drawn)]
    chosen = set(held_out)
    training = [name for name in sorted(speakers) if original[name] not in chosen]
    return training, held_out


def find_originals(speakers: Iterable[str]) -> dict[str, str]:
    """Of each speaker the one whose copy at another speed he is, else himself."""
    known = set(speakers)
    original = {name: original_speaker(name) for name in known}
    return {name: of if of in known else name for name, of in original.items()}


def split_utterances(
    utt2spk: Mapping[str, str], held_out: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """utt2spk of the speakers that train and of those held out; their copies are in neither."""
    original = find_originals(utt2spk.values())
    return (
        {key: name for key, name in utt2spk.items() if original[name] not in held_out},
        {key: name for key, name in utt2spk.items() if name in held_out},
    )


def split_for_scoring(
    speakers: Sequence[str], experiment: Experiment
) -> tuple[list[str], list[str]]:
    """As `split_speakers`; but fewer than four, too few to train a network, are all to train."""
    ordered = sorted(speakers)
    try:
        return split_speakers(ordered, experiment.held_out, experiment.seed)
    except ValueError:
        return ordered, []


def write_held_out(folder: Path, speakers: Iterable[str]) -> None:
    """Note in an x-vector directory that is being made who of its speakers did not train."""
    (folder / HELD_OUT).write_text("".join(f"{name}\n" for name in sorted(speakers)))


def read_noted(folder: Path) -> set[str] | None:
    """What `write_held_out` has noted; None where it has not."""
    path = folder / HELD_OUT
    return set(read_utf8(path).split()) if path.is_file() else None


def read_held_out(folder: Path, utt2spk: Mapping[str, str], experiment: Experiment) -> set[str]:
    """The held-out speakers of an x-vector directory, by its list, else by the experiment.

    The list tells who trained, whatever the config says by now. Published weights and x-vectors of
    other programs have none.
    """
    noted = read_noted(folder)
    if noted is None:
        return set(split_for_scoring(list(set(utt2spk.values())), experiment)[1])
    return noted
