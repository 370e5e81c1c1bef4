"""Lengths of recordings: what the tables of a data directory say, and what is decoded."""

from dataclasses import dataclass, field
from pathlib import Path

from deep_speaker.kaldi.data_dir import iterate_segments
from deep_speaker.kaldi.tables import read_optional_table, read_table, write_table

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


def read_durations(folder: Path) -> dict[str, float]:
    """Read the seconds of recordings, as far as the directory says them."""
    durations = read_optional_table(folder / "reco2dur")
    if not durations and not (folder / "segments").is_file():
        durations = read_optional_table(folder / "utt2dur")
    return {key: float(value) for key, value in durations.items()}


def differs(seconds: float | None, num_samples: int, rate: int) -> bool:
    """Tell whether a duration is not that of so many samples: by more than its rounding."""
    return seconds is not None and abs(seconds - num_samples / rate) > 0.5 / rate + ROUNDING


def correct_tables(folder: Path, lengths: Lengths) -> None:
    """Write decoded lengths into utt2dur, segments and reco2dur, as far as they are there.

    reco2dur comes last: while it differs, a rerun corrects again what an interrupted one has left.
    """
    durations = {key: count / rate for key, (count, rate) in lengths.recordings.items()}
    utterances = {key: f"{seconds:.6f}" for key, seconds in durations.items()}
    if (folder / "segments").is_file():
        utterances, segments = {}, read_table(folder / "segments")
        for key, segment in iterate_segments(folder / "segments"):
            if key in lengths.cut:
                end = lengths.cut[key]
                utterances[key] = f"{end - segment.start:.6f}"
                segments[key] = f"{segment.recording} {segment.start:.6f} {end:.6f}"
        if lengths.cut:
            write_table(folder / "segments", segments)
    _replace(folder / "utt2dur", utterances)
    _replace(folder / "reco2dur", {key: f"{seconds:.6f}" for key, seconds in durations.items()})


def _replace(path: Path, values: dict[str, str]) -> None:
    """Replace values of a table; the keys that it lacks are not added."""
    table = read_optional_table(path) if values else {}
    if table:
        write_table(path, table | {key: values[key] for key in values.keys() & table.keys()})
