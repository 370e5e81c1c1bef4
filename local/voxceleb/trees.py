"""VoxCeleb's trees of audio: the folders of speakers, and the names of utterances."""

import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path, PurePath
from typing import NamedTuple

from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.corpora.recordings import safe_id
from deep_speaker.kaldi.wav_entries import AUDIO_SUFFIXES, FFMPEG_SUFFIXES

LOOKED_FOR = (
    "looked for <speaker id>/<video>/<n>.wav, .flac or .m4a at any depth, such as "
    "wav/id10001/1zcIwhmdeo4/00001.wav, and <Name>/<video>_<7 digits>.wav of the first release"
)
MAX_DEPTH = 6  # of speakers' folders below the one that is named
SPEAKER_ID = re.compile(r"id\d{5}")
# The first release numbered with two digits more, which are 0.
OLD_STEM = re.compile(r"(?P<video>.{11})_\d\d(?P<number>\d{5})")


class Name(NamedTuple):
    """The name of an utterance, the end of its path."""

    speaker: str
    video: str
    number: str

    @property
    def id(self) -> str:
        return "-".join(self)


def parse_name(path: PurePath, ids: Mapping[str, str]) -> Name:
    """Read the name of an utterance off the end of its path in a tree or in a list.

    Args:
        ids: VoxCeleb1's ids of the names that its first release used; a name without id stays.

    >>> ids = {"Eartha_Kitt": "id10270"}
    >>> parse_name(PurePath("wav/id10270/x6uYqmx31kE/00001.wav"), ids).id
    'id10270-x6uYqmx31kE-00001'
    >>> parse_name(PurePath("Eartha_Kitt/x6uYqmx31kE_0000001.wav"), ids).id
    'id10270-x6uYqmx31kE-00001'

    Raises:
        ValueError: the path is of neither form.
    """
    *_, speaker, video, stem = ("", "", *path.parent.parts, path.stem)
    if old := OLD_STEM.fullmatch(stem):
        speaker, video, stem = video, old["video"], old["number"]
    if not speaker or not video:
        raise ValueError(
            f"{str(path)!r} is neither <speaker>/<video>/<n>.wav nor <Name>/<video>_<7 digits>.wav"
        )
    return Name(ids.get(speaker, safe_id(speaker)), video, stem)


def speaker_of(utterance: str) -> str:
    """Return the speaker of an utterance id of `parse_name`; `safe_id` leaves no dash in it."""
    return utterance.partition("-")[0]


def open_tree(folder: Path) -> AudioFolder:
    """Return a tree to walk, in which a WAV file goes before its M4A; MP4 holds video here."""
    return AudioFolder(folder, AUDIO_SUFFIXES - {".mp4"}, one_form=True)


def find_speakers(tree: AudioFolder, ids: Mapping[str, str]) -> list[Path]:
    """Find the folders of speakers in a tree, or its own, in the order of their paths.

    Such a folder is named by a VoxCeleb id or a name of `ids`, or holds files of the first
    release.

    Raises:
        ValueError: too many folders are links to nothing or cannot be read.
    """
    found = list(_iterate_speakers(tree, tree.root, ids, MAX_DEPTH))
    tree.check_folders(len(found))
    return found


def _iterate_speakers(
    tree: AudioFolder, folder: Path, ids: Mapping[str, str], depth: int
) -> Iterator[Path]:
    if SPEAKER_ID.fullmatch(folder.name) or folder.name in ids:
        yield folder
        return
    entries = tree.scan(folder)
    if any(
        OLD_STEM.fullmatch(name.rpartition(".")[0]) for name, is_folder in entries if not is_folder
    ):
        yield folder
        return
    for name, is_folder in entries if depth else ():
        if is_folder:
            yield from _iterate_speakers(tree, folder / name, ids, depth - 1)


def list_audio(tree: AudioFolder, speaker_folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the audio of speakers, a folder at a time: a million files take no memory.

    Speakers without any, and what else is left out, are told first.

    Raises:
        ValueError: a file is M4A, and there is no ffmpeg.
    """

    def places(folders: Iterable[Path]) -> Iterator[Path]:
        for folder in folders:
            yield folder
            yield from (folder / name for name, is_folder in tree.scan(folder) if is_folder)

    for path in tree.audio(places(tree.survey(speaker_folders)), "*"):
        if path.suffix.lower() in FFMPEG_SUFFIXES:
            require_ffmpeg()
        yield path


@cache
def require_ffmpeg() -> None:
    """Check that M4A can be read.

    Raises:
        ValueError: it cannot.
    """
    if not shutil.which("ffmpeg"):
        raise ValueError(
            "the audio is M4A, and there is no ffmpeg on the PATH to read it: install ffmpeg, or "
            "convert the audio to WAV with local/download_voxceleb.py --convert where there is one"
        )


def check_start(paths: Iterable[Path], message: str) -> Iterator[Path]:
    """Return the same paths, once the first is known to be there and readable.

    Raises:
        ValueError: there is none, with `message`; or see `list_audio`.
    """
    iterator = iter(paths)
    first = next(iterator, None)
    if first is None:
        raise ValueError(message)
    return chain([first], iterator)


def is_voxceleb1(speaker: str) -> bool:
    """Tell whether a speaker is of VoxCeleb1, whose ids are id10001 to id11251, or names."""
    return not speaker.startswith("id0")


def corpora_of(speakers: Collection[str]) -> str:
    """Return the corpora that speakers are of, in words."""
    found = {"VoxCeleb1" if is_voxceleb1(speaker) else "VoxCeleb2" for speaker in speakers}
    return " and ".join(sorted(found))
