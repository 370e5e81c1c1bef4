#!/usr/bin/env python3
"""Stage 0 for AISHELL-1: the official train part (340 speakers) trains, test (20) tests.

The layout is that of OpenSLR 33: in --corpus-dir (or there in data_aishell/) the folders
wav/{train,dev,test}/S0002/BAC009S0002W0122.wav, whose archives per speaker must be unpacked, and
transcript/aishell_transcript_v0.8.txt; the sexes are in resource_aishell/speaker.info beside
data_aishell/. --test-parts dev test tests on both. Ids are S0002 and S0002-BAC009S0002W0122.
"""

# Lhotse's recipe reads all headers in one thread before it gives the first, leaves out recordings
# without a transcript, which are of use here, and does not know the sexes.

import argparse
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from deep_speaker.system.files import read_utf8

LAYOUT = "data_aishell/wav/{train,test}/S0002/BAC009S0002W0122.wav, ..."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(parser, "the folder of data_aishell/ and resource_aishell/")
    parser.add_argument(
        "--test-parts", nargs="+", choices=("test", "dev"), default=["test"], help="default: test"
    )
    options = parser.parse_args()
    folder = options.corpus_dir
    data = folder / "data_aishell" if (folder / "data_aishell").is_dir() else folder
    check_unpacked(data / "wav")
    train = find_audio(data / "wav/train")
    test = [path for part in options.test_parts for path in find_audio(data / "wav" / part)]
    sexes = read_sexes(data.parent / "resource_aishell" / "speaker.info")
    texts = read_texts(data / "transcript" / "aishell_transcript_v0.8.txt")
    preparation.write_corpus(
        options,
        read_utterances(train, sexes, texts, options.nj),
        read_utterances(test, sexes, texts, options.nj),
    )


def check_unpacked(folder: Path) -> None:
    """Refuse archives of speakers, wav/S0002.tar.gz, whose folder is not there yet."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; --corpus-dir should hold {LAYOUT}")
    archives = {path.name.split(".")[0]: path for path in sorted(folder.glob("S*.tar.gz"))}
    packed = sorted(archives.keys() - {path.name for path in folder.glob("*/S*")})
    if packed:
        raise ValueError(
            f"{folder}: {len(packed)} speakers' archives are not unpacked, first "
            f"{archives[packed[0]].name}: run "
            f"`cd {shlex.quote(str(folder))} && ls S*.tar.gz | xargs -n 1 tar -xzf`"
        )


def find_audio(part: Path) -> list[Path]:
    """Find the recordings of a part, <speaker>/<utterance>.wav."""
    paths = preparation.find_audio(part, "S*", "*")
    if not paths:
        raise ValueError(f"{part}: no S*/*.wav in it; --corpus-dir should hold {LAYOUT}")
    return paths


def read_sexes(path: Path) -> dict[str, str]:
    """Read speakers' sexes from speaker.info, whose lines read `0002 F`."""
    if not path.is_file():
        logging.warning("%s is missing: no same-sex results", path)
        return {}
    sexes = {}
    for number, line in enumerate(read_utf8(path).splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 2 or fields[1].upper() not in ("M", "F"):
            raise ValueError(f"{path}, line {number}: expected '<speaker> M|F', got {line!r}")
        sexes[f"S{fields[0].removeprefix('S')}"] = fields[1].lower()
    return sexes


def read_texts(path: Path) -> dict[str, str]:
    """Read texts, by file name, of lines `BAC009S0002W0122 <words>`."""
    if not path.is_file():
        logging.warning("%s is missing: no texts", path)
        return {}
    fields = (line.split(maxsplit=1) for line in read_utf8(path).split("\n"))
    return {pair[0]: pair[1].strip() for pair in fields if len(pair) == 2}


def read_utterances(
    paths: list[Path], sexes: dict[str, str], texts: dict[str, str], num_jobs: int
) -> Iterator[Utterance]:
    """Yield the utterances <speaker>-<file's name> of recordings."""
    for path, info in preparation.read_infos(paths, num_jobs):
        name, speaker = path.stem, path.parent.name
        entry = wav_entry(path, info)
        yield Utterance(
            f"{speaker}-{name}", speaker, entry, info, sexes.get(speaker), texts.get(name)
        )


if __name__ == "__main__":
    command.run(main)
