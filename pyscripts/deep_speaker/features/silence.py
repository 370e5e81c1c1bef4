"""Silent utterances: whether they are too many, and what to do about them."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deep_speaker.config import AnyVoiceActivity, Trimming
from deep_speaker.config.stages import Stage
from deep_speaker.features.recordings import Recording
from deep_speaker.kaldi.wav_entries import channel_of_entry, file_of_entry

SILENT = "silent: no voiced frame"
Silent = Mapping[str, Sequence[int]]  # by utterance, other channels with voiced frames, from 1


def describe(channels: Sequence[int]) -> str:
    """Return why a silent utterance is left out.

    >>> describe([]), describe([2])
    ('silent: no voiced frame', 'silent: no voiced frame, but some on channel 2')
    """
    if not channels:
        return SILENT
    return f"{SILENT}, but some on channel {' and '.join(map(str, channels))}"


def leave_out_taken(silent: Silent, recordings: Iterable[Recording]) -> dict[str, Sequence[int]]:
    """Return silent utterances without the channels that are recordings of the set themselves.

    Of the two sides of a call one may well be silent.
    """
    if not any(silent.values()):
        return dict(silent)
    files: dict[str, Path | None] = {}
    taken = set()
    for recording in recordings:
        file = file_of_entry(recording.entry)
        taken.add((file, channel_of_entry(recording.entry) + 1))
        files.update((key, file) for key, _ in recording.utterances if silent.get(key))
    return {
        key: [channel for channel in channels if (files[key], channel) not in taken]
        for key, channels in silent.items()
    }


def check_silent(folder: Path, silent: Silent, total: int, options: AnyVoiceActivity) -> None:
    """Log how many of a set's utterances are silent; refuse a majority, which is no chance.

    Raises:
        ValueError: with the remedy: another channel, where there is speech on one.
    """
    if 2 * len(silent) > total:
        remedies = [_suggest_channel(silent), _suggest_levels(folder, options)]
        if all(silent.values()):
            remedies.pop()
        remedy = "; for the others, ".join(filter(None, remedies))
        raise ValueError(f"{folder}: {len(silent)} of {total} utterances are silent: {remedy}")
    if silent:
        channel = _suggest_channel(silent)
        logging.warning(
            "%s: %d of %d utterances are silent and left out, see bad_utterances%s",
            folder, len(silent), total, channel and f"; {channel}",
        )  # fmt: skip


def _suggest_channel(silent: Silent) -> str:
    """Say which other channel holds speech most often; nothing if none does."""
    counts = Counter(channel for channels in silent.values() for channel in channels)
    if not counts:
        return ""
    channel, count = counts.most_common(1)[0]
    return (
        f"channel {channel} holds the speech of {count} of them: {Stage.PREPARATION.again}, with "
        f'--prepare-options "--channel {channel}" (corpus folder; "--channel each" for both sides '
        "of calls), or with that channel in wav.scp or the manifests"
    )


def _suggest_levels(folder: Path, options: AnyVoiceActivity) -> str:
    if isinstance(options, Trimming):  # it goes by ranks: a higher level changes none
        return (
            "they are digital silence, at one level for long (clipped, or too faint for their "
            "bits), or a few samples long: remove the files listed in "
            f"{folder}/bad_utterances, then {Stage.PREPARATION.again}"
        )
    return (
        "raise the level of the recordings, or lower energy_threshold or energy_mean_scale of "
        "voice_activity in the config"
    )
