#!/usr/bin/env python3
"""Stage 0 for LibriSpeech and mini LibriSpeech.

The layout below --corpus-dir is train-clean-100/19/198/19-198-0001.flac with 19-198.trans.txt
beside it, and SPEAKERS.TXT. By default every train-* part there trains, and every test-* part tests
(every dev-* part where there is no test-*, as in mini LibriSpeech). Without the folder, Lhotse
downloads the parts named, or mini LibriSpeech's, where the network allows.
"""

import argparse
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lhotse.recipes.librispeech import LIBRISPEECH, MINI_LIBRISPEECH, download_librispeech

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.files import read_utf8
from deep_speaker.system.processes import map_in_threads

PARTS = (*LIBRISPEECH, *MINI_LIBRISPEECH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    parser.add_argument("--corpus-dir", type=command.resolved_path, help="the folder LibriSpeech/")
    parser.add_argument("--train-parts", nargs="+", choices=PARTS, help="default: all train-*")
    parser.add_argument("--test-parts", nargs="+", choices=PARTS, help="default: all test-*")
    options = parser.parse_args()
    folder = options.corpus_dir
    if folder is None:
        raise ValueError("corpus 'librispeech' needs --corpus-dir, the folder LibriSpeech/")
    if not folder.is_dir():
        mini_train, mini_test = sorted(MINI_LIBRISPEECH, reverse=True)
        wanted = (options.train_parts or [mini_train]) + (options.test_parts or [mini_test])
        folder = download(folder, wanted)
    train = options.train_parts or find_parts(folder, "train-")
    test = options.test_parts or find_parts(folder, "test-") or find_parts(folder, "dev-")
    if not train or not test:
        raise ValueError(
            f"{folder}: no train-* or no test-* or dev-* part in it: name the folder LibriSpeech/ "
            "itself with --corpus-dir (to download it anew, remove it)"
        )
    sexes = read_sexes(folder / "SPEAKERS.TXT")
    sets = (
        [preparation.AudioFolder(folder / part, one_form=True) for part in parts]
        for parts in (train, test)
    )
    train_parts, test_parts = ({tree: find_transcripts(tree) for tree in trees} for trees in sets)
    preparation.write_corpus(
        options,
        read_parts(train_parts, sexes, options.nj),
        read_parts(test_parts, sexes, options.nj),
    )


def download(folder: Path, parts: list[str]) -> Path:
    """Fetch the parts to `folder`, whose name must be LibriSpeech."""
    if folder.name != "LibriSpeech":
        raise ValueError(f"{folder}: no such folder; to download it there, name it .../LibriSpeech")
    logging.info("%s: no such folder; downloading", folder)
    try:
        return download_librispeech(folder.parent, parts)
    except Exception as error:  # whatever the network, the server or the disk raises
        raise ValueError(
            f"{folder}: no such folder, and the download failed ({type(error).__name__}: "
            f"{command.describe_error(error)}): name the LibriSpeech folder with --corpus-dir"
        ) from error


def find_parts(folder: Path, prefix: str) -> list[str]:
    """Find the parts whose names begin with a prefix."""
    return sorted(part for part in PARTS if part.startswith(prefix) and (folder / part).is_dir())


def read_sexes(path: Path) -> dict[str, str]:
    """Read speakers' sexes from SPEAKERS.TXT, of lines `id | F or M | part | minutes | name`."""
    if not path.is_file():
        logging.warning("%s is missing: no same-sex results", path)
        return {}
    lines = read_utf8(path).splitlines()
    rows = [line.split("|") for line in lines if line.strip() and not line.startswith(";")]
    if any(len(row) < 2 for row in rows):
        raise ValueError(f"{path}: a line is not `id | F or M | ...`")
    return {row[0].strip(): row[1].strip().lower() for row in rows}


def find_transcripts(tree: preparation.AudioFolder) -> list[Path]:
    """Find the files <speaker>/<chapter>/*.trans.txt of a part; tell what else is left out."""
    if not tree.root.is_dir():
        raise ValueError(f"{tree.root}: no such part of the corpus")
    chapters = tree.folders("*", "*")
    transcripts = [
        chapter / name
        for chapter in chapters
        for name, is_folder in tree.scan(chapter)
        if name.endswith(".trans.txt") and not is_folder
    ]
    if not transcripts:
        raise ValueError(f"{tree.root}: no <speaker>/<chapter>/*.trans.txt in it")
    tree.survey(chapters, "*")
    return transcripts


def read_parts(
    parts: dict[preparation.AudioFolder, list[Path]], sexes: dict[str, str], num_jobs: int
) -> Iterator[Utterance]:
    """Yield the utterances of parts; log and leave out bad files, see `check_bad_items`.

    Args:
        parts: folders and their transcripts.
    """
    for tree, transcripts in parts.items():
        bad: dict[str, str] = {}
        total = 0
        lines = iterate_lines(tree, transcripts)
        for name, result in map_in_threads(partial(read_line, sexes), lines, num_jobs):
            total += 1
            if isinstance(result, str):
                bad[name] = result
            else:
                yield result
        check_bad_items(bad, total, "files", f"mend or remove the files in {tree.root}")
        logging.info("%s: %d of %d utterances have audio", tree.root, total - len(bad), total)


def iterate_lines(
    tree: preparation.AudioFolder, transcripts: list[Path]
) -> Iterator[tuple[str, Path | None]]:
    """Yield the lines of transcripts, each with the audio of its name in the same folder."""
    for path in transcripts:
        audio = {item.stem: item for item in tree.audio([path.parent], "*")}
        for line in filter(str.strip, read_utf8(path).splitlines()):
            yield line, audio.get(line.split()[0])


def read_line(sexes: dict[str, str], item: tuple[str, Path | None]) -> tuple[str, Utterance | str]:
    """Read the utterance of a line of a transcript: its id, and the utterance or what is wrong.

    Args:
        item: the line, and its audio.
    """
    line, path = item
    name, *words = line.split(maxsplit=1)
    if path is None:
        return name, "no such audio file"
    try:
        info = read_info(path)
    except (ValueError, OSError) as error:
        return name, str(error)
    speaker, text = name.split("-")[0], "".join(words).strip()
    return name, Utterance(name, speaker, wav_entry(path, info), info, sexes.get(speaker), text)


if __name__ == "__main__":
    command.run(main)
