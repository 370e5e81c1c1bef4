"""Inputs of stage 1: by which it tells that an utterance's features would be the same again.

Of an utterance: the entry of its recording, the size and time of the files behind it, its segment.
Lengths that stage 1 itself corrects in the tables count as they were and as they are then.
"""

from collections.abc import Sequence
from dataclasses import replace

from deep_speaker.features.shards import Recording, Shard, is_whole
from deep_speaker.kaldi.lengths import Lengths, differs
from deep_speaker.kaldi.utterances import Segment
from deep_speaker.kaldi.wav_entries import state_of_entry
from deep_speaker.system.processes import map_in_threads
from deep_speaker.system.shards import short_sum

TOGETHER = 500  # recordings that a thread looks at


def sum_inputs(recordings: Sequence[Recording], num_threads: int) -> dict[str, str]:
    """Note the state of recordings' audio, and return the sums of inputs by utterance."""

    def note(some: Sequence[Recording]) -> None:
        for recording in some:
            recording.state = state_of_entry(recording.entry)

    parts = [recordings[i : i + TOGETHER] for i in range(0, len(recordings), TOGETHER)]
    list(map_in_threads(note, parts, num_threads))
    return {
        key: _sum(recording, segment, is_whole(recording, segment))
        for recording in recordings
        for key, segment in recording.utterances
    }


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


def find_lengths(recordings: Sequence[Recording], shards: Sequence[Shard]) -> Lengths:
    """Find where the tables tell other lengths than those that were decoded."""
    by_id = {recording.id: recording for recording in recordings}
    lengths = Lengths()
    for shard in shards:
        for name in shard.decoded.keys() & by_id.keys():
            count, rate = shard.decoded[name]
            if differs(by_id[name].seconds, count, rate):
                lengths.recordings[name] = (count, rate)
            for key, segment in by_id[name].utterances:
                end = _end_if_cut(name, segment, shard)
                if key in shard.num_frames and end is not None:
                    lengths.cut[key] = end
    return lengths


def _end_if_cut(recording: str, segment: Segment | None, shard: Shard) -> float | None:
    """Return where a segment ends, in seconds, that would end after its recording."""
    if segment is None or recording not in shard.decoded:
        return None
    count, rate = shard.decoded[recording]
    return count / rate if int(segment.end * rate) > count else None
