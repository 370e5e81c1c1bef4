"""Selection of the audio of VoxCeleb's trees that trains, and that is tested."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.corpora.recordings import safe_id
from deep_speaker.kaldi.wav_entries import FFMPEG_SUFFIXES
from deep_speaker.system.bad_items import MAX_BAD_SHARE
from deep_speaker.trials.lists import Trial
from voxceleb.lists import read_train_list
from voxceleb.meta import Meta
from voxceleb.trees import (
    LOOKED_FOR,
    find_speakers,
    is_voxceleb1,
    list_audio,
    parse_name,
    require_ffmpeg,
    speaker_of,
)


def find_train_folders(tree: AudioFolder, meta: Meta, all_of_it: bool) -> dict[str, list[Path]]:
    """Find the folders of speakers who may train: all, or those of VoxCeleb2 if it is there.

    Test speakers of VoxCeleb2 are those of vox2_meta.csv, and of folders such as vox2_test_aac.
    """
    found: dict[str, list[Path]] = {}
    for path in find_speakers(tree, meta.ids):
        speaker = meta.ids.get(path.name, safe_id(path.name))
        folders = path.relative_to(tree.root).parts[:-1]
        tests = meta.parts.get(speaker) == "test" or any(map(_is_of_test, folders))
        if all_of_it or is_voxceleb1(speaker) or not tests:
            found.setdefault(speaker, []).append(path)
    if not found:
        raise ValueError(f"{tree.root}: no speakers to train; {LOOKED_FOR}")
    voxceleb2 = {key: paths for key, paths in found.items() if not is_voxceleb1(key)}
    return found if all_of_it else voxceleb2 or found


def _is_of_test(folder: str) -> bool:
    """Tell whether a folder's name has `test` among its words.

    >>> _is_of_test("vox2_test_aac"), _is_of_test("latest")
    (True, False)
    """
    return "test" in re.split(r"[_.-]", folder.lower())


def list_train_files(path: Path, tree: AudioFolder) -> Iterator[Path]:
    """Yield the files of a voxceleb_trainer training list, in whatever form they are there.

    Raises:
        ValueError: at the end: too many are missing.
    """

    @lru_cache(maxsize=64)  # files of a folder come together
    def audio_in(folder: Path) -> dict[str, Path]:
        return {item.stem: item for item in tree.audio([folder], "*")}

    total, missing = 0, []
    for _, name in read_train_list(path):
        total += 1
        file = tree.root / name
        found = audio_in(file.parent).get(file.stem)
        if not found:
            missing.append(name)
            continue
        if found.suffix.lower() in FFMPEG_SUFFIXES:
            require_ffmpeg()
        yield found
    logging.info("%s: %d utterances", path, total)
    check_missing(missing, total, str(path), tree.root)


def keep_fitting_lists(
    trial_lists: Mapping[str, list[Trial]], tree: AudioFolder, meta: Meta
) -> dict[str, list[Trial]]:
    """Return the lists whose speakers all have folders in a tree: of VoxCeleb1's test part, Vox1-O.

    Where none fits, return all: what is missing of them will be told.
    """
    there = {meta.ids.get(path.name, safe_id(path.name)) for path in find_speakers(tree, meta.ids)}
    fitting = {
        name: trials
        for name, trials in trial_lists.items()
        if all(there.issuperset(map(speaker_of, trial[:2])) for trial in trials)
    }
    left_out = [name for name in trial_lists if name not in fitting]
    if fitting and left_out:
        logging.info(
            "%s left out: speakers of theirs are not in %s", ", ".join(left_out), tree.root
        )
    return fitting or dict(trial_lists)


def find_listed(tree: AudioFolder, wanted: set[str], meta: Meta, source: str) -> list[Path]:
    """Find the audio of listed utterances.

    Args:
        source: the lists' names, for the errors.

    Raises:
        ValueError: too many are missing.
    """
    speakers = set(map(speaker_of, wanted))
    folders = [
        path
        for path in find_speakers(tree, meta.ids)
        if meta.ids.get(path.name, safe_id(path.name)) in speakers
    ]
    found: dict[str, Path] = {}
    for path in list_audio(tree, folders):
        key = parse_name(path, meta.ids).id
        if key in wanted:
            found.setdefault(key, path)
    check_missing(sorted(wanted - found.keys()), len(wanted), source, tree.root)
    return list(found.values())


def check_missing(missing: Sequence[str], total: int, source: str, tree: Path) -> None:
    """Warn about listed utterances without audio.

    Raises:
        ValueError: they are more than a few.
    """
    if not missing:
        return
    message = f"{len(missing)} of {total} utterances of {source} have no audio in {tree}"
    if len(missing) > max(1, MAX_BAD_SHARE * total):
        raise ValueError(
            f"{message}, first {missing[0]!r}; {LOOKED_FOR} (whose names "
            "vox1_meta.csv turns into ids): complete the audio, or name its folder"
        )
    logging.warning("%s and are left out, first %r", message, missing[0])
