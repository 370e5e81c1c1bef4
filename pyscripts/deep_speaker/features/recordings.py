"""Recordings of a data directory, each with its utterances: what stage 1 goes through."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.data_dir import parse_segment
from deep_speaker.kaldi.lengths import open_durations
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.utterances import Segment


@dataclass(slots=True)
class Recording:
    """An entry of wav.scp, and its utterances with their segments; None: the whole recording.

    Attributes:
        seconds: its length, as stage 0 found it; None: the directory does not say.
        utterances: by the beginnings of their segments, so that the audio is read in order.
        state: of the files behind the entry; see `inputs.sum_inputs`.
    """

    id: str
    entry: str
    seconds: float | None
    utterances: list[tuple[str, Segment | None]]
    state: object = None


def iterate_recordings(folder: Path) -> Iterator[Recording]:
    """Yield the recordings of a data directory with their utterances, by `segments` if there.

    In the order of wav.scp. Memory holds an index of the tables, of 16 to 56 bytes a line.
    """
    entries, durations = MappedTable(folder / "wav.scp"), open_durations(folder)

    def describe(key: str, entry: str, utterances: list[tuple[str, Segment | None]]) -> Recording:
        seconds = durations.get(key)
        return Recording(key, entry, None if seconds is None else float(seconds), utterances)

    if not (folder / "segments").is_file():
        for _, key, entry in entries.rows():
            yield describe(key, entry, [(key, None)])
        return
    for place, utterances in _group_segments(MappedTable(folder / "segments"), entries):
        yield describe(*entries.at(place), utterances)


def _group_segments(
    segments: MappedTable, entries: MappedTable
) -> Iterator[tuple[int, list[tuple[str, Segment | None]]]]:
    """Yield the places of recordings in wav.scp, each with the utterances in it."""

    def locate() -> Iterator[tuple[int, int]]:
        for place, key, value in segments.rows():
            name = parse_segment(segments.path, key, value).recording
            recording = entries.find(name)
            if recording is None:
                raise ValueError(
                    f"{segments.path}: {key!r} lies in {name!r}, which wav.scp lacks: remove its "
                    "line, or add the recording"
                )
            yield recording, place

    pairs = np.fromiter(locate(), [("recording", "i8"), ("segment", "i8")])
    pairs = pairs[np.argsort(pairs["recording"], kind="stable")]
    for recording, group in groupby(pairs, lambda pair: pair["recording"]):
        rows = [segments.at(int(pair["segment"])) for pair in group]
        found = [(key, parse_segment(segments.path, key, value)) for key, value in rows]
        found.sort(key=lambda item: item[1].start)
        yield int(recording), [*found]


def is_whole(recording: Recording, segment: Segment | None) -> bool:
    """Tell whether a segment is all of its recording, as long as stage 0 found that."""
    if segment is None or segment.start:
        return False
    return f"{segment.end:.6f}" == f"{recording.seconds or 0:.6f}"
