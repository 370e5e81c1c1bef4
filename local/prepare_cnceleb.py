#!/usr/bin/env python3
"""Stage 0 for CN-Celeb (OpenSLR 82), with its official trials.

--corpus-dir is CN-Celeb_flac/ of CN-Celeb 1, or a copy converted to WAV: the speakers that
dev/dev.lst lists train, on data/id00000/*.flac; eval/{enroll,test}/*.flac test, by the trials of
eval/lists/trials.lst. An enrolment is the speaker's one concatenated file, as in that list. With
--extra-train-dir CN-Celeb2_flac/, its data/<speaker>/*.flac train too. Ids are
id00000-singing-01-001 and id00800-enroll; the sexes are not known.
"""

# Lhotse 1.33 has no recipe for this corpus.

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import AUDIO_SUFFIXES, wav_entry
from deep_speaker.system import command
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.files import read_utf8

PARTS = ("data", "dev/dev.lst", "eval/enroll", "eval/test", "eval/lists/trials.lst")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(parser, "CN-Celeb_flac/ (CN-Celeb 1)")
    parser.add_argument(
        "--extra-train-dir", type=command.resolved_path, help="CN-Celeb2_flac/, to train too"
    )
    options = parser.parse_args()
    folder = options.corpus_dir
    missing = [part for part in PARTS if not (folder / part).exists()]
    if missing:
        raise ValueError(f"{folder}: no {missing[0]}; expected CN-Celeb 1 with {', '.join(PARTS)}")
    speakers = read_speakers(folder)
    if options.extra_train_dir:
        speakers += find_speakers(options.extra_train_dir / "data")
    tests = [find_audio(folder / "eval" / part) for part in ("enroll", "test")]
    preparation.write_corpus(
        options,
        read_training(speakers, options.nj),
        read_evaluation(chain(*tests), options.nj),
        {"trials": folder / "eval/lists/trials.lst"},
    )


def read_speakers(folder: Path) -> list[Path]:
    """List the folders of the listed speakers; log and leave out a few that have none."""
    path = folder / "dev/dev.lst"
    speakers = read_utf8(path).split()
    if not speakers:
        raise ValueError(f"{path}: empty; expected a speaker's id, as id00000, per line")
    bad = {name: "no such folder" for name in speakers if not (folder / "data" / name).is_dir()}
    check_bad_items(bad, len(speakers), "speakers", f"unpack all of data/ that {path} lists")
    return [folder / "data" / name for name in speakers if name not in bad]


def find_speakers(data: Path) -> list[Path]:
    """Find the folders of the speakers of CN-Celeb2."""
    folders = sorted(path for path in data.glob("id*") if path.is_dir())
    if not folders:
        raise ValueError(f"{data}: no speakers' folders id*/ in it; expected CN-Celeb2_flac/data/")
    return folders


def find_audio(folder: Path) -> list[Path]:
    """Find the recordings of enroll/ or test/."""
    paths = sorted(path for path in folder.glob("id*") if path.suffix.lower() in AUDIO_SUFFIXES)
    if not paths:
        raise ValueError(f"{folder}: no id*.flac or id*.wav in it")
    return paths


def read_training(folders: list[Path], num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances <speaker>-<file's name> of speakers' folders."""
    files = chain.from_iterable(sorted(folder.iterdir()) for folder in folders)
    paths = (path for path in files if path.suffix.lower() in AUDIO_SUFFIXES)
    for path, info in preparation.read_infos(paths, num_jobs):
        speaker = path.parent.name
        yield Utterance(f"{speaker}-{path.stem}", speaker, wav_entry(path, info), info)


def read_evaluation(paths: Iterator[Path], num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances of enroll/ and test/, whose file names are their ids."""
    for path, info in preparation.read_infos(paths, num_jobs):
        yield Utterance(path.stem, path.stem.split("-")[0], wav_entry(path, info), info)


if __name__ == "__main__":
    command.run(main)
