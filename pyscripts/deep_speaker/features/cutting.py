"""How the recordings of a data directory are cut into shards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from deep_speaker.features.recordings import Recording, iterate_recordings

ENOUGH = 64  # shards, for many processes to share
SHORTEST, LONGEST = 20.0, 5 * 3600.0  # seconds of a shard; the longest takes a minute or a few
MOST = 5000  # recordings of a shard, however short they are: what is noted of them is held
TYPICAL = 8.0  # seconds of a recording, where no table tells


@dataclass
class Counts:
    """What a data directory holds.

    Attributes:
        known: the recordings whose lengths the tables tell.
        seconds: of those in all.
        new, bad: the recordings that have utterances to compute, and such to try again.
        missing: all these utterances.
    """

    recordings: int = 0
    utterances: int = 0
    known: int = 0
    seconds: float = 0
    new: int = 0
    bad: int = 0
    missing: int = 0


def count_recordings(
    folder: Path, is_new: Callable[[str], bool], is_bad: Callable[[str], bool]
) -> Counts:
    """Count recordings and utterances, and those that are to be computed or tried again."""
    counts = Counts()
    for recording in iterate_recordings(folder):
        counts.recordings += 1
        counts.utterances += len(recording.utterances)
        if recording.seconds:
            counts.known += 1
            counts.seconds += recording.seconds
        num_new = sum(is_new(key) for key, _ in recording.utterances)
        num_bad = sum(is_bad(key) for key, _ in recording.utterances)
        counts.new += num_new > 0
        counts.bad += num_bad > 0
        counts.missing += num_new + num_bad
    return counts


def choose_size(counts: Counts) -> int:
    """Choose how many recordings make a shard, by how long they are on average."""
    mean = counts.seconds / counts.known if counts.known else TYPICAL
    seconds = min(max(mean * counts.recordings / ENOUGH, SHORTEST), LONGEST)
    return min(max(1, round(seconds / mean)), MOST)


def cut(folder: Path, is_wanted: Callable[[str], bool], size: int) -> Iterator[list[Recording]]:
    """Yield the recordings with some utterances, and these alone, by `size`."""
    left = (
        some
        for recording in iterate_recordings(folder)
        if (some := _restrict(recording, is_wanted)).utterances
    )
    return iter(lambda: list(islice(left, size)), [])


def _restrict(recording: Recording, is_wanted: Callable[[str], bool]) -> Recording:
    utterances = [item for item in recording.utterances if is_wanted(item[0])]
    return Recording(recording.id, recording.entry, recording.seconds, utterances)
