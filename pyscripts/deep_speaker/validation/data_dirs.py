"""Checks of the tables of a data directory, those of Kaldi's validate_data_dir.sh.

Each table is read line by line beside utt2spk or spk2utt, in the order that all must have, so that
a directory of any size is checked in little memory; only the names of segmented recordings are
held.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby, zip_longest
from pathlib import Path

from deep_speaker.kaldi.data_dir import RECORDING_TABLES, UTTERANCE_TABLES
from deep_speaker.kaldi.tables import iterate_keys, iterate_table
from deep_speaker.validation.tables import check_table, iterate_sorted, line_error

_SYMBOL = re.compile(r"(?<!\w)(<s>|</s>|#0)(?!\w)", re.ASCII)  # grep -w, in the locale C


def _is_between(text: str, low: float, high: float) -> bool:
    try:
        return low < float(text) < high
    except ValueError:
        return False


def _is_positive(text: str) -> bool:
    return _is_between(text, 0, float("inf"))


def is_count(text: str) -> bool:
    """Tell whether a text is a whole number above 0."""
    return text.isascii() and text.isdigit() and int(text) > 0


def _is_warp(text: str) -> bool:
    return _is_between(text, 0.5, 1.5)


def _is_segment(text: str) -> bool:
    try:
        _, start, end = text.split()
        return 0 <= float(start) < float(end) < float("inf")
    except ValueError:
        return False


def _is_place(text: str) -> bool:
    words = text.split()
    return len(words) == 2 and words[1] in ("A", "B", "1")


def _is_text(text: str) -> bool:
    printed = text.isascii() or all(unicodedata.category(character) != "Cn" for character in text)
    return printed and not _SYMBOL.search(text)


# Tables whose values have a form.
VALUES: dict[str, tuple[Callable[[str], bool], str]] = {
    "utt2dur": (_is_positive, "a number above 0"),
    "reco2dur": (_is_positive, "a number above 0"),
    "utt2num_frames": (is_count, "a whole number above 0"),
    "utt2warp": (_is_warp, "a number between 0.5 and 1.5"),
    "spk2warp": (_is_warp, "a number between 0.5 and 1.5"),
    "spk2gender": (lambda text: text in ("m", "f"), "m or f"),
    "segments": (_is_segment, "'<recording> <start> <end>', in seconds, the end after the start"),
    "reco2file_and_channel": (_is_place, "'<file> <A or B>'"),
    "wav.scp": (lambda text: not text.startswith("~"), "a path or command without a tilde"),
    "text": (_is_text, "words without <s>, </s>, #0 and characters that cannot be printed"),
}
# The tables of this recipe, and others that Kaldi knows.
KEYED_BY_UTTERANCE = (*UTTERANCE_TABLES, "utt2lang", "utt2warp")
KEYED_BY_SPEAKER = ("spk2gender", "cmvn.scp", "spk2warp")
KEYED_BY_RECORDING = (*RECORDING_TABLES, "reco2file_and_channel")


def validate_data_dir(folder: Path, ignored: Collection[str] = ()) -> None:
    """Check all tables that Kaldi knows; features and voice activity may be missing.

    Args:
        ignored: tables that need not be right, as the caller does not use them.

    Raises:
        ValueError: naming the file, the line and the first key that is wrong, and the remedy.
    """

    def is_checked(name: str) -> bool:
        return name not in ignored and (folder / name).exists()

    _check_speakers(folder)
    for names, keys_of in ((KEYED_BY_UTTERANCE, "utt2spk"), (KEYED_BY_SPEAKER, "spk2utt")):
        for name in filter(is_checked, names):
            check_table(
                folder / name, iterate_keys(folder / keys_of), keys_of, *VALUES.get(name, ())
            )
    recordings, source = _find_recordings(folder)
    for name in KEYED_BY_RECORDING:
        if name == "wav.scp" or is_checked(name):
            check_table(folder / name, recordings(), source, *VALUES[name])


def _find_recordings(folder: Path) -> tuple[Callable[[], Iterable[str]], str]:
    """Return a function that lists the recordings, sorted, and the file that names them."""
    if not (folder / "segments").exists():
        return lambda: iterate_keys(folder / "utt2spk"), "utt2spk"
    names = {value.split()[0] for _, value in iterate_table(folder / "segments")}
    return lambda: sorted(names), "segments"


def _check_speakers(folder: Path) -> None:
    """Check that utt2spk and spk2utt are sorted in both orders, and say the same."""
    path = folder / "utt2spk"
    before, order_before = "", ("", "")
    for (number, key, speaker), order in zip(
        iterate_sorted(path), _speaker_order(path), strict=True
    ):
        if len(speaker.split()) > 1:
            wrong = f"{key!r} has {speaker!r}, not one speaker: remove all but one"
            raise line_error(path, number, wrong)
        if order < order_before:
            remedy = "make the speaker id and a dash the prefix of every utterance id"
            if speaker >= before:
                remedy = "separate the two by one space in every line, and remove other spaces"
            wrong = "not sorted by speaker when sorted by utterance"
            raise line_error(path, number, f"{wrong}, at {key!r} of {speaker!r}: {remedy}")
        before, order_before = speaker, order
    groups = groupby(iterate_table(path), lambda row: row[1])
    expected = ((speaker, [key for key, _ in rows]) for speaker, rows in groups)
    check_speaker_lists(folder / "spk2utt", expected, "utt2spk")


def _speaker_order(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what `sort -k2` compares: a line after its first word, blanks included; then all of it.

    So a blank before a line is out of order, unless the line is its speaker's first.
    """
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            whole = line.strip("\n")
            yield whole.lstrip()[len(line.split(maxsplit=1)[0]) :], whole


def check_speaker_lists(
    path: Path, expected: Iterable[tuple[str, list[str]]], expected_of: str
) -> None:
    """Check that spk2utt is sorted, and has the speakers and utterances of another file."""
    number = 0
    for row, pair in zip_longest(iterate_sorted(path), expected):
        number = row[0] if row else number + 1
        if row is None or pair is None or row[1] != pair[0] or row[2].split() != pair[1]:
            speaker = pair[0] if pair else row and row[1]
            raise line_error(
                path,
                number,
                f"does not match {expected_of}, first at {speaker!r}: make one of the two anew",
            )


def check_paths(wav_scp: Path) -> None:
    """Refuse relative paths, which lead nowhere from another directory; any command passes."""
    for number, (key, entry) in enumerate(iterate_table(wav_scp), 1):
        if not entry.endswith("|") and not entry.startswith("/"):
            wrong = f"{key!r} has the relative path {entry!r}: make it absolute"
            raise line_error(wav_scp, number, wrong)


def count_utterances(folder: Path) -> tuple[int, int, float | None]:
    """Count the utterances, speakers and hours (None without utt2dur) of a valid directory."""
    utterances = sum(1 for _ in iterate_table(folder / "utt2spk"))
    speakers = sum(1 for _ in iterate_table(folder / "spk2utt"))
    if not (folder / "utt2dur").exists():
        return utterances, speakers, None
    hours = sum(float(value) for _, value in iterate_table(folder / "utt2dur")) / 3600
    return utterances, speakers, hours
