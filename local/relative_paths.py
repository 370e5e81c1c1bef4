"""Relative paths in wav.scp and in manifests, made absolute where their files are found."""

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock

from deep_speaker.kaldi.wav_entries import archive_of_entry, file_of_entry


def make_locator(folder: Path) -> Callable[[str], str]:
    """Make a function that makes an entry of wav.scp independent of the current directory.

    A relative path starts at the current directory, or at a folder around wav.scp: at the same one
    for all entries, where the first file is found. A stray file elsewhere is not taken for another.

    Args:
        folder: the folder of wav.scp, absolute.
    """
    places = [Path.cwd(), folder, *folder.parents]
    root: list[Path] = []  # one folder, once it is known
    lock = Lock()  # entries are located by several threads

    def find_root(names: Iterable[str]) -> Path | None:
        with lock:
            relative = [name for name in names if re.match(r"[^-/].*[./]", name)]  # no options
            if not root:
                root.extend(
                    place for place in places if any((place / name).is_file() for name in relative)
                )
            return root[0] if root and relative else None

    def locate(entry: str) -> str:
        archived = archive_of_entry(entry)
        path = archived[0] if archived else file_of_entry(entry)
        if path is not None and path.is_absolute():
            return entry
        if path is None:
            try:
                place = find_root(shlex.split(entry.removesuffix("|")))
            except ValueError:  # the shell will say what is wrong with it
                return entry
            return f"cd {shlex.quote(str(place))} && {entry}" if place else entry
        place = find_root([str(path)])
        if place is None or not (place / path).is_file():
            looked_in = place or f"{places[0]}, {folder} or a folder around it"
            raise ValueError(
                f"{path}: no such file below {looked_in}: make the paths in wav.scp absolute, or "
                "run this where they start"
            )
        if archived:
            return f"{place / path}:{archived[1]}"
        if not entry.endswith("|"):
            return str(place / path)
        words = shlex.split(entry.removesuffix("|"))
        return shlex.join([str(place / path) if Path(w) == path else w for w in words]) + " |"

    return locate
