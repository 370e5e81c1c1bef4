"""The audio files below a folder: one walk for all corpora, noises and rooms.

Links are followed, and each real folder is entered once. Hidden files are no audio, above all
`._x.wav`, which a Mac writes beside x.wav on other disks.
"""

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from deep_speaker.corpora.linked_folders import find_second_names, list_entries
from deep_speaker.kaldi.wav_entries import AUDIO_SUFFIXES, FFMPEG_SUFFIXES, UNREAD_SUFFIXES
from deep_speaker.system.bad_items import check_bad_items

# Of several forms of a recording the first of these is taken; what only ffmpeg reads is last.
PREFERRED = {".wav": 0, ".flac": 1}


def find_audio(root: Path, *levels: str, one_form: bool = True) -> list[Path]:
    """List the audio of a part of a corpus that lies at known levels, by path; see `AudioFolder`.

    Args:
        levels: patterns of the folders' names, the speakers' last, and of the files' names.
    """
    *folders, files = levels
    tree = AudioFolder(root, one_form=one_form)
    return list(tree.audio(tree.survey(tree.folders(*folders), files), files))


class AudioFolder:
    """A folder with audio below it, and links to folders, which may be there twice.

    A link to a folder that is there under its own name too, or to one around it, is not followed;
    of several links to a folder outside, the first by path is.

    Args:
        root: is at the beginning of every path that comes out.
        suffixes: of audio, in lower case; files may have them in any.
        one_form: take one of the files of a folder that differ in their suffix alone.
    """

    def __init__(
        self, root: Path, suffixes: Collection[str] = AUDIO_SUFFIXES, one_form: bool = False
    ) -> None:
        self.root = root
        self._suffixes = suffixes
        self._one_form = one_form
        self._bad: dict[Path, str] = {}
        self._num_scanned = 0
        self._second: set[str] | None = None  # None: no link to a folder was met yet

    def folders(self, *levels: str) -> list[Path]:
        """List the folders whose names fit a pattern for each level; the root itself without any.

        Raises:
            ValueError: too many are links to nothing, see `check_folders`.
        """
        found = [self.root]
        for level in levels:
            found = [
                folder / name
                for folder in found
                for name, is_folder in self.scan(folder)
                if is_folder and fnmatchcase(name, level)
            ]
        self.check_folders(len(found))
        return found

    def survey(self, folders: Iterable[Path], *levels: str) -> list[Path]:
        """Return the folders that hold audio; tell of the others, and of what is left out.

        Raises:
            ValueError: too many folders in them cannot be read, see `check_folders`.
        """
        sounding: list[Path] = []
        silent: list[Path] = []
        left_out: Counter[str] = Counter()
        examples: dict[str, Path] = {}
        self._num_scanned = 0
        for folder in folders:
            found = False
            for place, name, reason in self._walk(folder, levels):
                if reason:
                    left_out[reason] += 1
                    examples.setdefault(reason, place / name)
                else:
                    found = True
            (sounding if found else silent).append(folder)
        for reason, count in sorted(left_out.items()):
            logging.warning("%d files left out, %s: first %s", count, reason, examples[reason])
        if silent:
            logging.warning(
                "%d of %d folders hold no audio that is read, and are left out, first %s",
                len(silent), len(silent) + len(sounding), silent[0],
            )  # fmt: skip
        self.check_folders(self._num_scanned)
        return sounding

    def audio(self, folders: Iterable[Path], *levels: str) -> Iterator[Path]:
        """Yield the audio of folders in the order of its paths; nothing is held in memory.

        Links to nothing whose names are those of audio are among it: who reads them counts them
        as bad.

        Args:
            levels: patterns of the names of folders, if any, and of files; by default audio may
                lie anywhere below.
        """
        for folder in folders:
            for place, name, reason in self._walk(folder, levels):
                if not reason:
                    yield place / name

    def check_folders(self, num_good: int) -> None:
        """Log the links to nothing, and folders that cannot be read, which the walk has met.

        Raises:
            ValueError: they are too many; see `check_bad_items`.
        """
        bad, self._bad = self._bad, {}
        check_bad_items(bad, num_good + len(bad), "folders", "mend or remove them")

    def scan(self, folder: Path) -> list[tuple[str, bool]]:
        """Return the names in a folder, sorted, and whether each is that of a folder to enter."""
        try:
            entries = list_entries(folder)
        except OSError as error:
            self._bad[folder] = (error.strerror or str(error)).lower()
            return []
        self._num_scanned += 1
        found = []
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                found.append((entry.name, False))
            elif entry.is_dir(follow_symlinks=False):
                if not self._second or entry.path not in self._second:
                    found.append((entry.name, True))
            elif entry.is_symlink():
                found += self._follow(entry)
        found.sort()
        return found

    def _follow(self, entry: os.DirEntry[str]) -> list[tuple[str, bool]]:
        """Return a link's name and kind; nothing if it leads nowhere or where the walk goes."""
        path = Path(entry.path)
        if path.is_dir():
            if self._second is None:
                self._second = find_second_names(self.root)
            return [] if entry.path in self._second else [(entry.name, True)]
        if path.is_file() or self._is_audio(entry.name):
            return [(entry.name, False)]
        self._bad[path] = "a link to nothing"
        return []

    def _walk(self, folder: Path, levels: tuple[str, ...]) -> Iterator[tuple[Path, str, str]]:
        """Yield folder and name of the audio below a folder, and of what may be audio.

        With the reason to leave it out, if any.
        """
        entries = self.scan(folder)
        chosen = self._choose_forms(entries) if self._one_form else None
        for name, is_folder in entries:
            if is_folder:
                if not levels or (len(levels) > 1 and fnmatchcase(name, levels[0])):
                    yield from self._walk(folder / name, levels[1:])
            elif (suffix := _suffix(name)) in self._suffixes:
                if levels and levels != ("*",) and not _fits(name, levels):
                    yield folder, name, f"as they are not {'/'.join(levels)} there"
                elif chosen and name not in chosen:
                    yield folder, name, "as another form of them is taken"
                else:
                    yield folder, name, ""
            elif suffix in UNREAD_SUFFIXES or suffix in AUDIO_SUFFIXES:
                yield folder, name, f"as {suffix} is not read (convert them to WAV or FLAC)"

    def _is_audio(self, name: str) -> bool:
        return _suffix(name) in self._suffixes

    def _choose_forms(self, entries: Iterable[tuple[str, bool]]) -> set[str]:
        """Return the preferred ones of the audio files whose names differ in the suffix alone."""
        best: dict[str, str] = {}
        for name, is_folder in entries:
            if not is_folder and (suffix := _suffix(name)) in self._suffixes:
                stem = name[: -len(suffix)]
                other = best.setdefault(stem, name)
                if other != name:
                    best[stem] = min(other, name, key=_rank)
        return set(best.values())


def _rank(name: str) -> tuple[int, str]:
    """Return the place of a file among other forms of a recording."""
    suffix = _suffix(name)
    return PREFERRED.get(suffix, 2 + (suffix in FFMPEG_SUFFIXES)), name


def _fits(name: str, levels: tuple[str, ...]) -> bool:
    """Tell whether a file is where audio is expected: its name fits the last level."""
    return len(levels) == 1 and fnmatchcase(name, levels[0])


def _suffix(name: str) -> str:
    """Return the suffix in lower case; a tenth of the work of a path's."""
    place = name.rfind(".")
    return name[place:].lower() if place > 0 else ""
