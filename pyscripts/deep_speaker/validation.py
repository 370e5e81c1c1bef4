"""What Kaldi's validate_data_dir.sh demands of the tables of a data directory.

All are read line by line beside utt2spk, in the order they must have, so that a directory of any
size is checked in little memory.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest
from pathlib import Path

from deep_speaker.data_dir import RECORDING_TABLES, UTTERANCE_TABLES, iterate_segments
from deep_speaker.tables import iterate_table

NUMBERS = {"utt2dur": float, "reco2dur": float, "utt2num_frames": int}


def validate_data_dir(folder: Path) -> None:
    """Check the tables this recipe writes or reads.

    Raises:
        ValueError: naming the file and the first key that is wrong.
    """
    _check_speakers(folder)
    for name in UTTERANCE_TABLES:
        if (folder / name).exists():
            _check_keys(folder / name, _keys(folder / "utt2spk"), "utt2spk")
    _check_recordings(folder)
    for name, kind in NUMBERS.items():
        for key, value in iterate_table(folder / name) if (folder / name).exists() else ():
            if not _is_positive(value, kind):
                raise ValueError(f"{folder}/{name}: {key!r} has {value!r}, not a number above 0")
    if (folder / "spk2gender").exists():
        _check_keys(folder / "spk2gender", _keys(folder / "spk2utt"), "spk2utt")
        if not {value for _, value in iterate_table(folder / "spk2gender")} <= {"m", "f"}:
            raise ValueError(f"{folder}/spk2gender: values other than m and f")


def _is_positive(text: str, kind: type[float] | type[int]) -> bool:
    try:
        return 0 < kind(text) < float("inf")
    except ValueError:
        return False


def _check_speakers(folder: Path) -> None:
    """utt2spk and spk2utt: sorted in both orders, and the same."""
    before = ""
    for key, speaker in _in_order(folder / "utt2spk"):
        if speaker < before:
            raise ValueError(
                f"{folder}/utt2spk: not sorted by speaker when sorted by utterance, at {key!r} of "
                f"{speaker!r}: make the speaker id and a dash the prefix of every utterance id"
            )
        if len(speaker.split()) > 1:
            raise ValueError(f"{folder}/utt2spk: {key!r} has {speaker!r}, not one speaker")
        before = speaker
    groups = groupby(iterate_table(folder / "utt2spk"), lambda row: row[1])
    expected = ((speaker, [key for key, _ in rows]) for speaker, rows in groups)
    found = ((key, value.split()) for key, value in _in_order(folder / "spk2utt"))
    for pair in zip_longest(expected, found):
        if pair[0] != pair[1]:
            speaker = (pair[0] or pair[1] or ("",))[0]
            raise ValueError(f"{folder}/spk2utt: does not match utt2spk, first at {speaker!r}")


def _check_recordings(folder: Path) -> None:
    if not (folder / "segments").exists():
        for name in RECORDING_TABLES:
            if name == "wav.scp" or (folder / name).exists():
                _check_keys(folder / name, _keys(folder / "utt2spk"), "utt2spk")
        return
    named = sorted({segment.recording for _, segment in iterate_segments(folder / "segments")})
    for name in RECORDING_TABLES:
        if name == "wav.scp" or (folder / name).exists():
            _check_keys(folder / name, named, "segments")


def _in_order(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the rows of a table, which must be sorted and unique by key, and not empty."""
    before = None
    for key, value in iterate_table(path):
        if before is not None and key <= before:
            if key == before:
                raise ValueError(f"{path}: {key!r} stands there twice")
            raise ValueError(f"{path}: {key!r} comes after {before!r}: sort it with LC_ALL=C")
        before = key
        yield key, value
    if before is None:
        raise ValueError(f"{path}: empty")


def _keys(path: Path) -> Iterator[str]:
    return (key for key, _ in iterate_table(path))


def _check_keys(path: Path, expected: Iterable[str], name: str) -> None:
    found = (key for key, _ in _in_order(path))
    for key, other in zip_longest(found, expected):
        if key != other:
            first = min(word for word in (key, other) if word is not None)
            for _ in found:  # rather tell that it is not sorted, if that is so
                pass
            lacks = name if first == key else path.name
            raise ValueError(
                f"{path}: its keys differ from those of {name}, first {first!r}, which {lacks} "
                "lacks: remove the lines that not all tables have (an id may not hold spaces)"
            )
