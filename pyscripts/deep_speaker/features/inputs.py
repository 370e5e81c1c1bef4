"""Inputs of stage 1: by which it tells that an utterance's features would be the same again.

Of an utterance: the entry of its recording, the size and time of the files behind it, its segment.
Lengths that stage 1 itself corrects in the tables count as they were and as they are then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from deep_speaker.features.recordings import Recording, is_whole, iterate_recordings
from deep_speaker.features.shards import Shard
from deep_speaker.kaldi.data_dir import parse_segment
from deep_speaker.kaldi.lengths import Lengths, differs, open_durations
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.utterances import Segment
from deep_speaker.kaldi.wav_entries import state_of_entry
from deep_speaker.system.processes import map_in_threads
from deep_speaker.system.shards import short_sum

TOGETHER = 500  # recordings that a thread looks at


def sum_inputs(folder: Path, num_threads: int) -> Iterator[tuple[str, str]]:
    """Yield the utterances of a data directory with the sums of their inputs."""
    recordings = iterate_recordings(folder)
    parts = iter(lambda: list(islice(recordings, TOGETHER)), [])
    for some in map_in_threads(note_states, parts, num_threads):
        for recording in some:
            for key, segment in recording.utterances:
                yield key, _sum(recording, segment, is_whole(recording, segment))


def note_states(recordings: list[Recording]) -> list[Recording]:
    """Note the state of recordings' audio, and return them."""
    for recording in recordings:
        recording.state = state_of_entry(recording.entry)
    return recordings


def accepted_sums(recordings: Sequence[Recording], shard: Shard) -> dict[str, list[str]]:
    """Return, by utterance of a shard, the sums of all inputs that give the same.

    Bad utterances have none: they are tried again, as a program may have been missing.
    """
    return {
        key: _accepted(recording, segment, shard)
        for recording in recordings
        for key, segment in recording.utterances
        if key not in shard.bad
    }


def _accepted(recording: Recording, segment: Segment | None, shard: Shard) -> list[str]:
    if segment is None:
        return [_sum(recording, None, False)]
    end = _end_if_cut(recording.id, segment, shard)
    if end is None:  # whether it is the whole recording matters only to what is too long
        return [_sum(recording, segment, whole) for whole in (False, True)]
    corrected = replace(segment, end=end)
    return [
        _sum(recording, segment, is_whole(recording, segment)),
        *(_sum(recording, corrected, whole) for whole in (False, True)),
    ]


def _sum(recording: Recording, segment: Segment | None, whole: bool) -> str:
    span = segment and (segment.recording, f"{segment.start:.6f}", f"{segment.end:.6f}", whole)
    return short_sum([recording.entry, recording.state, span])


class LengthFinder:
    """Finds where the tables of a data directory tell other lengths than those decoded."""

    def __init__(self, folder: Path) -> None:
        self.found = Lengths()
        self._durations = open_durations(folder)
        has_segments = (folder / "segments").is_file()
        self._segments = MappedTable(folder / "segments") if has_segments else None

    def look(self, keys: Sequence[str], shard: Shard) -> None:
        """Compare what was decoded for a shard with the lengths of utterances and recordings."""
        for name, (count, rate) in shard.decoded.items():
            if name in self._durations and differs(float(self._durations[name]), count, rate):
                self.found.recordings[name] = (count, rate)
        if self._segments is None:
            return
        for key in keys:
            segment = parse_segment(self._segments.path, key, self._segments[key])
            end = _end_if_cut(segment.recording, segment, shard)
            if end is not None:
                self.found.cut[key] = end


def _end_if_cut(recording: str, segment: Segment | None, shard: Shard) -> float | None:
    """Return where a segment ends, in seconds, that would end after its recording."""
    if segment is None or recording not in shard.decoded:
        return None
    count, rate = shard.decoded[recording]
    return count / rate if int(segment.end * rate) > count else None
