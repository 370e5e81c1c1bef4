"""Lengths of recordings: what the tables of a data directory say, and what is decoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deep_speaker.kaldi.data_dir import iterate_segments
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import iterate_table, write_rows

ROUNDING = 1e-6  # seconds: tables have six digits behind the point


@dataclass
class Lengths:
    """What is decoded, where the tables of a data directory say otherwise.

    Attributes:
        recordings: samples and sampling rate, by recording.
        cut: seconds at which utterances end that would end after their recording.
    """

    recordings: dict[str, tuple[int, int]] = field(default_factory=dict)
    cut: dict[str, float] = field(default_factory=dict)


def open_durations(folder: Path) -> Mapping[str, str]:
    """Open the seconds of recordings, as far as the directory says them."""
    names = ["reco2dur"] if (folder / "segments").is_file() else ["reco2dur", "utt2dur"]
    there = [folder / name for name in names if (folder / name).is_file()]
    return next(filter(None, map(MappedTable, there)), {})


def differs(seconds: float, num_samples: int, rate: int) -> bool:
    """Tell whether a duration is not that of so many samples: by more than its rounding."""
    return abs(seconds - num_samples / rate) > 0.5 / rate + ROUNDING


def correct_tables(folder: Path, lengths: Lengths) -> None:
    """Write decoded lengths into utt2dur, segments and reco2dur, as far as they are there.

    reco2dur comes last: while it differs, a rerun corrects again what an interrupted one has left.
    """
    durations = {key: f"{count / rate:.6f}" for key, (count, rate) in lengths.recordings.items()}
    utterances = durations
    if (folder / "segments").is_file():
        utterances = {}
        segments: dict[str, str] = {}
        for key, segment in iterate_segments(folder / "segments") if lengths.cut else ():
            if key in lengths.cut:
                end = lengths.cut[key]
                utterances[key] = f"{end - segment.start:.6f}"
                segments[key] = f"{segment.recording} {segment.start:.6f} {end:.6f}"
        _replace(folder / "segments", segments)
    _replace(folder / "utt2dur", utterances)
    _replace(folder / "reco2dur", durations)


def _replace(path: Path, values: dict[str, str]) -> None:
    """Replace values of a table; the keys that it lacks are not added."""
    if values and path.is_file():
        write_rows(path, ((key, values.get(key, old)) for key, old in iterate_table(path)))
