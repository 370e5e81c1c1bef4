#!/usr/bin/env python3
"""Stage 0 for TIMIT (LDC93S1): the official TRAIN (462 speakers) trains, TEST (168) tests.

The layout, in upper or lower case: TRAIN/DR1/FCJF0/SA1.WAV with SA1.TXT beside it, and TEST
likewise, in --corpus-dir or in a folder of it (TIMIT/, data/). The audio may be the original NIST
SPHERE files or conversions of them (SA1.WAV.wav, SA1.riff, SA1.flac); of both, the conversion is
read. Ids are FCJF0 and FCJF0-SA1. The sentences SA1 and SA2, which all speakers read, are kept:
trials between them compare the same words.
"""

# Lhotse's recipe reads only data/TRAIN/*/*/*.WAV in upper case, leaves 94 of the test speakers out,
# and stops without phone labels: a walk of the folders is shorter than a way around that.

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from deep_speaker.system.files import read_utf8

LAYOUT = "TRAIN/DR1/FCJF0/SA1.WAV, TEST/DR1/FAKS0/SA1.WAV, ..."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(parser, "TIMIT, with TRAIN and TEST")
    options = parser.parse_args()
    if not options.corpus_dir.is_dir():
        raise ValueError(f"{options.corpus_dir}: no such folder; expected {LAYOUT} in it")
    train, test = map(find_audio, find_parts(options.corpus_dir))
    preparation.write_corpus(
        options, read_speakers(train, options.nj), read_speakers(test, options.nj)
    )


def find_parts(folder: Path) -> tuple[Path, Path]:
    """Find TRAIN and TEST, in upper or lower case, in `folder` or one of its folders."""
    tree = preparation.AudioFolder(folder)
    for home in [folder, *tree.folders("*")]:
        parts = {name.upper(): home / name for name, is_folder in tree.scan(home) if is_folder}
        if parts.keys() >= {"TRAIN", "TEST"}:
            return parts["TRAIN"], parts["TEST"]
    raise ValueError(f"{folder}: no TRAIN and TEST; expected {LAYOUT} in it or in its TIMIT/")


def find_audio(part: Path) -> list[Path]:
    """Find a part's recordings, <dialect region>/<sex, initials and digit>/<sentence>.

    Of several files of a sentence the one with the longest name, which is the conversion's.
    """
    tree = preparation.AudioFolder(part)
    folders = [
        path
        for path in tree.folders("*", "*")
        if re.fullmatch(r"[FM][A-Z]{3}\d", path.name.upper())
    ]
    if not folders:
        raise ValueError(f"{part}: no speakers; expected {LAYOUT} in {part.parent}")
    found = list(tree.audio(tree.survey(folders, "*"), "*"))
    found.sort(key=lambda path: (len(path.name), path.name))
    return sorted({(path.parent, sentence_of(path)): path for path in found}.values())


def read_speakers(paths: list[Path], num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances of recordings."""
    for path, info in preparation.read_infos(paths, num_jobs):
        speaker = path.parent.name.upper()
        yield Utterance(
            f"{speaker}-{sentence_of(path)}",
            speaker,
            wav_entry(path, info),
            info,
            speaker[0].lower(),
            read_text(path),
        )


def sentence_of(path: Path) -> str:
    """Return the sentence's name.

    >>> sentence_of(Path("sx37.wav")), sentence_of(Path("SA1.WAV.wav"))
    ('SX37', 'SA1')
    """
    return path.name.split(".")[0].upper()


def read_text(path: Path) -> str | None:
    """Read the words of the .TXT beside a recording, whose line is `<begin> <end> <words>`."""
    for suffix in (".TXT", ".txt"):
        text = path.with_name(path.name.split(".")[0] + suffix)
        if text.is_file():
            return " ".join(read_utf8(text).split()[2:]) or None
    return None


if __name__ == "__main__":
    command.run(main)
