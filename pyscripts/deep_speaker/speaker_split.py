"""Which training speakers are held out: they judge epochs, and calibrate scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from deep_speaker.config import HeldOut
from deep_speaker.dataset import original_speaker


def split_speakers(
    speakers: Sequence[str], options: HeldOut, seed: int
) -> tuple[list[str], list[str]]:
    """Training and held-out speakers, by seed; at least two of each.

    Speakers at another speed are no others: those of held-out ones are in neither list.

    Raises:
        ValueError: fewer than four speakers.
    """
    known = set(speakers)
    original = {name: original_speaker(name) for name in speakers}
    original = {name: of if of in known else name for name, of in original.items()}
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


def split_utterances(
    utt2spk: Mapping[str, str], options: HeldOut, seed: int
) -> tuple[dict[str, str], dict[str, str]]:
    """utt2spk of the speakers that train and of those held out; see `split_speakers`.

    Fewer than four speakers, too few to train a network, all train what scores it.
    """
    speakers = sorted(set(utt2spk.values()))
    try:
        parts = split_speakers(speakers, options, seed)
    except ValueError:
        parts = speakers, []
    training, held_out = map(set, parts)
    return (
        {key: speaker for key, speaker in utt2spk.items() if speaker in training},
        {key: speaker for key, speaker in utt2spk.items() if speaker in held_out},
    )
