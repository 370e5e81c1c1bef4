"""Audio files of a corpus: their headers, and ids of their names."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.wav_entries import AudioInfo
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.processes import map_in_threads


def safe_id(text: str) -> str:
    """Map a name to what Kaldi's two orders of utt2spk allow in a speaker id.

    Letters and digits of any script, `_` and `.` stay; anything else, above all what sorts below
    the dash that follows the speaker id, becomes `_`.

    >>> safe_id("Anna-Maria (2)")
    'Anna_Maria__2_'
    """
    return re.sub(r"[^\w.]", "_", text)


def read_infos(paths: Iterable[Path], num_jobs: int) -> Iterator[tuple[Path, AudioInfo]]:
    """Yield audio files and their headers, in order; bad ones are logged and left out.

    Paths are taken as headers are: a long list need not be held.

    Raises:
        ValueError: too many are bad; see `check_bad_items`. At the end, when all are known.
    """

    def read(path: Path) -> tuple[Path, AudioInfo | str]:
        try:
            return path, read_info(path)
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
