"""Folders that several paths lead to, by links, so that a walk enters each once."""

import logging
import os
from pathlib import Path


def list_entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """List what a folder holds, but for hidden files and folders."""
    with os.scandir(folder) as scanned:
        return [entry for entry in scanned if not entry.name.startswith(".")]


def find_second_names(root: Path) -> set[str]:
    """Find the paths, links or below links, of folders that are there by another path too."""
    known: set[tuple[int, int]] = set()
    second: set[str] = set()
    links = _claim(str(root), known, second)
    while links:
        found = []
        for link in sorted(links):
            path = Path(link)
            if path.parent.resolve().is_relative_to(path.resolve()):  # to a folder around it
                second.add(link)
            else:
                found += _claim(link, known, second)
        links = found
    if second:
        logging.warning(
            "%s: %d folders are there by another name too, and are taken once: not as %s",
            root, len(second), min(second),
        )  # fmt: skip
    return second


def _claim(folder: str, known: set[tuple[int, int]], second: set[str]) -> list[str]:
    """Add a folder and the real ones below it to the known folders, or its path to the second.

    Returns:
        Links to folders in them.
    """
    links = []
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            status = Path(path).stat()
            entries = list_entries(path)
        except OSError:  # told where the walk gets there
            continue
        identity = status.st_dev, status.st_ino
        if identity in known:
            second.add(path)
            continue
        known.add(identity)
        waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        links += [
            entry.path for entry in entries if entry.is_symlink() and Path(entry.path).is_dir()
        ]
    return links
