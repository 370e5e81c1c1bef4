"""VoxCeleb's lists: their places; trials, the split for identification, and training lists."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath

from deep_speaker.system.files import read_utf8
from deep_speaker.trials.importing import IS_TARGET
from deep_speaker.trials.lists import Trial
from voxceleb.trees import parse_name

# The files of the protocols, as VoxCeleb's site names them; then Kaldi's copies.
PROTOCOLS = {
    "O": ("veri_test.txt", "voxceleb1_test_v2.txt", "voxceleb1_test.txt"),
    "O-cleaned": ("veri_test2.txt",),
    "E": ("list_test_all.txt",),
    "E-cleaned": ("list_test_all2.txt",),
    "H": ("list_test_hard.txt",),
    "H-cleaned": ("list_test_hard2.txt",),
}
PLACES = (".", "meta", "lists", "trials")  # in a tree and in the folder around it


def usual_places(folder: Path) -> list[Path]:
    """Return the places where the lists and meta files of a tree may lie, the nearest first."""
    return [base / place for base in (folder, folder.parent) for place in PLACES]


def find_list(names: Sequence[str], places: Sequence[Path]) -> Path | None:
    """Find a file of one of the names, in the nearest place that has any."""
    candidates = (place / name for place in places for name in names)
    return next((path for path in candidates if path.is_file()), None)


def choose_protocols(
    named: Sequence[str] | None, places: Sequence[Path], voxceleb1_trains: bool
) -> dict[str, Path]:
    """Choose the lists of the protocols that are named, or of all that are there and fit.

    E and H test nearly all speakers of VoxCeleb1: they do not fit if those train.

    Returns:
        Files by protocol.

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
            f"no {files} in {places[0]}, nor in the tree, the folder around it, or meta/, lists/ "
            "or trials/ of these: fetch the lists with local/download_voxceleb.py FOLDER --lists, "
            "or name their folder with --lists FOLDER"
        )
    left_out = [f"Vox1-{key}" for key in unfit if found.get(key)]
    if left_out:
        logging.info("%s left out: they test speakers who train", ", ".join(left_out))
    chosen = {key: path for key, path in found.items() if path and key not in unfit}
    if not chosen:
        raise ValueError(
            f"{', '.join(left_out)}: all lists that are there test the speakers of VoxCeleb1 who "
            "train here: fetch veri_test.txt (Vox1-O), or train on VoxCeleb2"
        )
    return chosen


def trials_file(path: Path) -> str:
    """Return the name that the trials of a list get in the test directory.

    >>> trials_file(Path("list_test_all2.txt")), trials_file(Path("mine.txt"))
    ('trials_vox1_e_cleaned', 'trials')
    """
    for key, names in PROTOCOLS.items():
        if path.name in names:
            return f"trials_vox1_{key.lower().replace('-', '_')}"
    return "trials"


def read_trial_lists(paths: Iterable[Path], ids: Mapping[str, str]) -> dict[str, list[Trial]]:
    """Read lists of `1|0 <path> <path>` lines, as published.

    Returns:
        Trials with our ids, by the names that the lists get in the test directory.

    Raises:
        ValueError: a list is missing or empty, or a line is of another form.
    """
    # An utterance is in many lines: keep one string of each, for lists of half a million trials.
    find_id = cache(lambda file: parse_name(PurePosixPath(file), ids).id)
    return {trials_file(path): _read_trials(path, find_id) for path in paths}


def _read_trials(path: Path, find_id: Callable[[str], str]) -> list[Trial]:
    trials = []
    for number, line in _numbered_lines(path):
        try:
            label, enroll, test = line.split()
            trials.append(Trial(find_id(enroll), find_id(test), IS_TARGET[label]))
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: expected '1|0 id10270/x6uYqmx31kE/00001.wav "
                f"id10270/8jEAjG6SegY/00008.wav', got {line!r}"
            ) from error
    if not trials:
        raise ValueError(f"{path}: no trials")
    logging.info("%s: %d trials", path, len(trials))
    return trials


def read_identification_split(path: Path, ids: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Read the utterances of VoxCeleb1's parts 1 (train) and 2 (validation), and of 3 (test).

    Raises:
        ValueError: a line is not `1|2|3 <path>`, or an utterance is in two parts.
    """
    parts: dict[str, set[str]] = {"1": set(), "2": set(), "3": set()}
    for number, line in _numbered_lines(path):
        try:
            part, file = line.split()
            key = parse_name(PurePosixPath(file), ids).id
            parts[part].add(key)
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: expected '1|2|3 id10003/na8-QEFmj44/00003.wav', got "
                f"{line!r}"
            ) from error
        if sum(key in keys for keys in parts.values()) > 1:
            raise ValueError(
                f"{path}, line {number}: {file} is in part {part}, and before that in another: "
                "remove one of the two lines"
            )
    return parts["1"] | parts["2"], parts["3"]


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
    """Yield the lines of a list that are not blank, without their ends."""
    if not path.is_file():
        raise ValueError(f"{path}: no such list")
    for number, line in enumerate(map(str.strip, read_utf8(path).split("\n")), 1):
        if line:
            yield number, line
