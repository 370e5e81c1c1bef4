"""Recordings of a corpus: their headers, ids of their names, and the segments that fit them."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from unicodedata import category, normalize

from deep_speaker.kaldi.audio import read_info, segment_bounds
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.processes import map_in_threads


def safe_id(text: str) -> str:
    """Turn a name into a speaker id that keeps both of Kaldi's orders of utt2spk the same.

    Letters with their marks, and digits, of any script, `_` and `.` stay, in the composed form (a
    Mac's file names are decomposed). Anything else becomes `_`, above all characters that sort
    below the dash that follows the speaker id.

    >>> safe_id("Anna-Maria (2)"), safe_id("राम किशोर")
    ('Anna_Maria__2_', 'राम_किशोर')
    """
    return re.sub(r"[^\w.]", _keep_mark, normalize("NFC", text))


def _keep_mark(found: re.Match[str]) -> str:
    """Return a mark on a letter, such as a vowel sign of Devanagari; of anything else `_`."""
    return found[0] if category(found[0]).startswith("M") else "_"


class SafeIds:
    """Ids of names that each have their own: where two would be one, the later gets a number.

    Args:
        names: in any order: they alone decide, and those that are their own ids stay so.
        make: makes an id of a name.

    >>> ids = SafeIds(["a b", "a_b"])
    >>> ids.of("a b"), ids.of("a_b"), ids.of("a-b")
    ('a_b_2', 'a_b', 'a_b_3')
    """

    def __init__(self, names: Iterable[str] = (), make: Callable[[str], str] = safe_id) -> None:
        self._make = make
        self._ids: dict[str, str] = {}
        self._taken: set[str] = set()
        for name in sorted(names, key=lambda name: (make(name) != name, name)):
            self.of(name)

    def of(self, name: str) -> str:
        """Return the id of a name."""
        if name not in self._ids:
            key = free = self._make(name)
            number = 1
            while free in self._taken:
                number += 1
                free = f"{key}_{number}"
            self._ids[name] = free
            self._taken.add(free)
        return self._ids[name]

    def numbered(self) -> dict[str, str]:
        """Return the ids that a number was added to, by their names."""
        return {name: key for name, key in self._ids.items() if key != self._make(name)}


def read_infos(
    paths: Iterable[Path], num_jobs: int, fewest_channels: int = 1
) -> Iterator[tuple[Path, AudioInfo]]:
    """Yield audio files and their headers, in order; bad files are logged and left out.

    So are files of several channels, but fewer than asked for. Paths are read only a little ahead
    of the headers: a long list need not be held.

    Raises:
        ValueError: at the end: too many files are bad; see `check_bad_items`.
    """

    def read(path: Path) -> tuple[Path, AudioInfo | str]:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            return path, "its name is not UTF-8: rename it"
        try:
            info = read_info(path)
            if 1 < info.num_channels < fewest_channels:
                return path, f"no channel {fewest_channels}: it has {info.num_channels}"
            return path, info
        except (ValueError, OSError) as error:
            return path, str(error)

    bad: dict[Path, str] = {}
    total = 0
    for path, info in map_in_threads(read, paths, num_jobs):
        total += 1
        if isinstance(info, AudioInfo):
            yield path, info
        else:
            bad[path] = info
    check_bad_items(bad, total, "files", "mend or remove the files")


def fit_segments(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Cut segments that end a little after their recordings; log and leave out those outside.

    Raises:
        ValueError: at the end: too many lie outside; see `check_bad_items`.
    """
    bad: dict[str, str] = {}
    total = num_cut = 0
    for item in utterances:
        total += 1
        if item.segment:
            try:
                segment_bounds(
                    item.info.sampling_rate,
                    item.info.num_samples,
                    item.segment.start,
                    item.segment.end,
                )
            except ValueError as error:
                bad[item.id] = str(error)
                continue
            if item.segment.end > item.info.duration:
                num_cut += 1
                item = replace(item, segment=replace(item.segment, end=item.info.duration))
        yield item
    if num_cut:
        logging.info("%d segments end after their recordings, and are cut there", num_cut)
    check_bad_items(bad, total, "segments", "mend their times")
