"""VoxCeleb's lists: trials, the split for identification, and what is known of the speakers."""

import logging
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from deep_speaker.files import replacing_file
from voxceleb.trees import SPEAKER_ID, Name, parse_name

# The files of the protocols, as VoxCeleb's site names them; then Kaldi's copies.
PROTOCOLS = {
    "O": ("veri_test.txt", "voxceleb1_test_v2.txt", "voxceleb1_test.txt"),
    "O-cleaned": ("veri_test2.txt",),
    "E": ("list_test_all.txt",),
    "E-cleaned": ("list_test_all2.txt",),
    "H": ("list_test_hard.txt",),
    "H-cleaned": ("list_test_hard2.txt",),
}
META_FILES = ("vox1_meta.csv", "vox2_meta.csv")
NUM_PARENTS = 3  # of a tree such as voxceleb1/vox1_test_wav/wav, that are searched for lists
PLACES = (".", "meta", "lists", "trials", "voxceleb1", "VoxCeleb1", "vox1", "voxceleb2", "vox2")
LABELS = {"1": "target", "0": "nontarget", "target": "target", "nontarget": "nontarget"}


@dataclass
class Meta:
    """What vox1_meta.csv and vox2_meta.csv say, as far as they are there.

    Attributes:
        ids: by the names of VGGFace, which the first release of VoxCeleb1 used.
        sexes: m or f, by id.
        parts: dev or test, by id.
    """

    ids: dict[str, str] = field(default_factory=dict)
    sexes: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)


class ListedTrial(NamedTuple):
    label: str  # target or nontarget
    enroll: Name
    test: Name


def usual_places(folder: Path) -> list[Path]:
    """Where the lists and meta files of a tree lie, the nearest first."""
    bases = (folder, *folder.parents[:NUM_PARENTS])
    return [base / place for base in bases for place in PLACES]


def find_list(names: Sequence[str], places: Sequence[Path]) -> Path | None:
    """The file of one of the names in the nearest place that has any."""
    candidates = (place / name for place in places for name in names)
    return next((path for path in candidates if path.is_file()), None)


def read_meta(places: Sequence[Path]) -> Meta:
    """Read the meta files that lie in `places`, see `_read_meta_line`.

    Raises:
        ValueError: a line after the heading is of another form.
    """
    meta = Meta()
    for path in filter(None, (find_list([name], places) for name in META_FILES)):
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            if not line.strip() or (number == 1 and not SPEAKER_ID.match(line)):
                continue
            try:
                speaker, name, meta.sexes[speaker], meta.parts[speaker] = _read_meta_line(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            meta.ids[name] = speaker
    return meta


def _read_meta_line(line: str) -> tuple[str, str, str, str]:
    """Id, name in VGGFace, m or f, and dev or test, of a line in any of the forms in use.

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


def read_trial_list(path: Path, ids: Mapping[str, str]) -> Iterator[ListedTrial]:
    """Yield the trials of a list of `1|0 <path> <path>` lines, as published.

    Raises:
        ValueError: a line is of another form.
    """
    parse = cache(lambda file: parse_name(PurePosixPath(file), ids))  # each stands there often
    for number, line in _numbered_lines(path):
        try:
            label, enroll, test = line.split()
            yield ListedTrial(LABELS[label], parse(enroll), parse(test))
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: expected '1|0 id10270/x6uYqmx31kE/00001.wav "
                f"id10270/8jEAjG6SegY/00008.wav', got {line!r}"
            ) from error


def choose_protocols(
    named: Sequence[str] | None, places: Sequence[Path], voxceleb1_trains: bool
) -> dict[str, Path]:
    """The lists of the protocols that are named, or of all that are there and fit, by protocol.

    E and H test nearly all speakers of VoxCeleb1: they do not fit where those train.

    Raises:
        ValueError: a protocol that is named has no list or does not fit, or there is none at all.
    """
    unfit = [key for key in PROTOCOLS if voxceleb1_trains and not key.startswith("O")]
    for key in set(named or ()) & set(unfit):
        raise ValueError(
            f"Vox1-{key} tests the speakers of VoxCeleb1 who train here: train on VoxCeleb2 "
            "(--train-dir), or take --protocols O O-cleaned"
        )
    found = {key: find_list(PROTOCOLS[key], places) for key in named or PROTOCOLS}
    missing = [key for key, path in found.items() if not path]
    if missing and (named or len(missing) == len(found)):
        files = ", ".join(PROTOCOLS[key][0] for key in missing)
        raise ValueError(
            f"no {files} in {places[0]} or the usual places beside it: fetch the lists with "
            "local/download_voxceleb.py FOLDER --lists, or name their folder with --lists FOLDER"
        )
    left_out = [f"Vox1-{key}" for key in unfit if found.get(key)]
    if left_out:
        logging.info("%s left out: they test speakers who train", ", ".join(left_out))
    chosen = {key: path for key, path in found.items() if path and key not in unfit}
    if not chosen:
        raise ValueError(
            f"{', '.join(left_out)}: all lists there are test the speakers of VoxCeleb1 who train "
            "here: fetch veri_test.txt (Vox1-O), or train on VoxCeleb2"
        )
    return chosen


def trials_file(path: Path) -> str:
    """The name that the trials of a list get in the test directory.

    >>> trials_file(Path("list_test_all2.txt")), trials_file(Path("mine.txt"))
    ('trials_vox1_e_cleaned', 'trials')
    """
    for key, names in PROTOCOLS.items():
        if path.name in names:
            return f"trials_vox1_{key.lower().replace('-', '_')}"
    return "trials"


def write_known_trials(
    source: Path, target: Path, ids: Mapping[str, str], known: Container[str]
) -> int:
    """Write those trials of a published list whose two utterances are known, with our ids.

    Returns:
        How many trials were left out.
    """
    num_left_out = 0
    with replacing_file(target) as file:
        for label, enroll, test in read_trial_list(source, ids):
            if enroll.id in known and test.id in known:
                file.write(f"{enroll.id} {test.id} {label}\n")
            else:
                num_left_out += 1
    return num_left_out


def read_identification_split(
    path: Path, ids: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Speakers by utterance, of VoxCeleb1's parts 1 (train) and 2 (validation), and of 3 (test).

    Raises:
        ValueError: a line is not `1|2|3 <path>`.
    """
    train: dict[str, str] = {}
    test: dict[str, str] = {}
    for number, line in _numbered_lines(path):
        try:
            part, file = line.split()
            name = parse_name(PurePosixPath(file), ids)
            {"1": train, "2": train, "3": test}[part][name.id] = name.speaker
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: expected '1|2|3 id10003/na8-QEFmj44/00003.wav', got "
                f"{line!r}"
            ) from error
    return train, test


def read_train_list(path: Path) -> Iterator[tuple[str, str]]:
    """Yield speaker and path of a voxceleb_trainer training list, a line at a time.

    Raises:
        ValueError: a line is not `<speaker> <speaker>/<video>/<n>.wav`.
    """
    for number, line in _numbered_lines(path):
        speaker, _, name = line.partition(" ")
        if not name.strip().startswith(f"{speaker}/"):
            raise ValueError(
                f"{path}, line {number}: expected 'id00012 id00012/21Uxsk56VDQ/00001.wav', got "
                f"{line!r}"
            )
        yield speaker, name.strip()


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a list that are not blank, without their ends."""
    if not path.is_file():
        raise ValueError(f"{path}: no such list")
    with path.open(encoding="utf-8") as file:
        yield from ((number, line.strip()) for number, line in enumerate(file, 1) if line.strip())
