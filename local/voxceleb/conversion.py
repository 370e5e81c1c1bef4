"""Conversion of M4A files into WAV files beside them, by ffmpeg."""

import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.durability import sync
from deep_speaker.system.files import replacing_file
from deep_speaker.system.partials import new_partial
from deep_speaker.system.processes import map_in_threads

BROKEN_FILES = "broken_files"


def convert_tree(folder: Path, num_jobs: int) -> None:
    """Convert all M4A files below a folder that have no WAV file beside them yet.

    Broken ones are listed in `folder`/broken_files, with reasons.

    Raises:
        ValueError: there is no ffmpeg, there are no M4A files, or too many are broken.
    """
    if not shutil.which("ffmpeg"):
        raise ValueError("--convert needs ffmpeg on the PATH: install it")
    num_files = num_done = 0
    tree = AudioFolder(folder, {".m4a"})

    def still_to_do() -> Iterator[Path]:
        nonlocal num_files, num_done
        for path in tree.audio([folder]):
            num_files += 1
            if path.with_suffix(".wav").exists():
                num_done += 1
            else:
                yield path

    broken: dict[Path, str] = {}
    for path, reason in map_in_threads(_convert, still_to_do(), num_jobs):
        if reason:
            broken[path] = reason
    if not num_files:
        raise ValueError(f"{folder}: no .m4a files in it to convert")
    (folder / BROKEN_FILES).unlink(missing_ok=True)
    if broken:
        with replacing_file(folder / BROKEN_FILES) as file:
            file.writelines(f"{path} {reason}\n" for path, reason in broken.items())
    logging.info(
        "%s: %d files converted, %d were there, %d are broken",
        folder, num_files - num_done - len(broken), num_done, len(broken),
    )  # fmt: skip
    tree.check_folders(num_files)
    check_bad_items(broken, num_files, "files", f"see {folder / BROKEN_FILES}")


def _convert(path: Path) -> tuple[Path, str]:
    """Convert one file to 16-bit WAV of one channel at 16 kHz; return it and why it failed."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(path)]
    form = ["-vn", "-ac", "1", "-ar", "16000", "-acodec", "pcm_s16le", "-f", "wav"]
    target = path.with_suffix(".wav")
    with new_partial(target) as partial:
        result = subprocess.run([*command, *form, str(partial)], capture_output=True, check=False)
        if result.returncode == 0:
            sync(partial)
            partial.replace(target)
            return path, ""
    complaints = result.stderr.decode(errors="replace").split("\n")
    return path, next(filter(None, map(str.strip, reversed(complaints))), "ffmpeg fails")
