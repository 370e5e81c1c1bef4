"""VoxCeleb's tables of speakers, vox1_meta.csv and vox2_meta.csv."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deep_speaker.system.files import read_utf8
from voxceleb.lists import find_list
from voxceleb.trees import SPEAKER_ID

META_FILES = ("vox1_meta.csv", "vox2_meta.csv")


@dataclass
class Meta:
    """The tables vox1_meta.csv and vox2_meta.csv, each if it is there.

    Attributes:
        ids: by the names of VGGFace, which the first release of VoxCeleb1 used.
        sexes: m or f, by id.
        parts: dev or test, by id.
    """

    ids: dict[str, str] = field(default_factory=dict)
    sexes: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)


def read_meta(places: Sequence[Path]) -> Meta:
    """Read the meta files that lie in `places`, see `_read_meta_line`.

    Raises:
        ValueError: a line after the heading is of another form.
    """
    meta = Meta()
    for path in filter(None, (find_list([name], places) for name in META_FILES)):
        logging.info("%s: sexes and parts of the speakers", path)
        for number, line in enumerate(read_utf8(path).splitlines(), 1):
            if not line.strip() or (number == 1 and not SPEAKER_ID.match(line)):
                continue
            try:
                speaker, name, meta.sexes[speaker], meta.parts[speaker] = _read_meta_line(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            meta.ids[name] = speaker
    return meta


def _read_meta_line(line: str) -> tuple[str, str, str, str]:
    """Read id, name in VGGFace, m or f, and dev or test of a line, in any of the forms in use.

    >>> _read_meta_line("id10001\\tA.J._Buckley\\tm\\tIreland\\tdev")
    ('id10001', 'A.J._Buckley', 'm', 'dev')
    >>> _read_meta_line("id00012 ,n000012 ,m ,dev")
    ('id00012', 'n000012', 'm', 'dev')
    """
    words = [word.strip() for word in re.split(r"[,\t]", line)]
    if len(words) < 4:
        words = line.split()
    if (
        len(words) < 4
        or not SPEAKER_ID.fullmatch(words[0])
        or words[2] not in ("m", "f")
        or words[-1] not in ("dev", "test")
    ):
        raise ValueError(f"expected 'id name m|f [nationality] dev|test', got {line!r}")
    return words[0], words[1], words[2], words[-1]
