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
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
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
    train: Iterable[Path] = find_training(folder)
    if options.extra_train_dir:
        train = chain(train, find_extra(options.extra_train_dir / "data"))
    tests = [find_tests(folder / "eval" / part) for part in ("enroll", "test")]
    preparation.write_corpus(
        options,
        read_training(train, options.nj),
        read_evaluation(chain(*tests), options.nj),
        {"trials": folder / "eval/lists/trials.lst"},
    )


def find_training(folder: Path) -> Iterator[Path]:
    """Find the recordings of the listed speakers; log and leave out a few that have none."""
    path = folder / "dev/dev.lst"
    speakers = read_utf8(path).split()
    if not speakers:
        raise ValueError(f"{path}: empty; expected a speaker's id, as id00000, per line")
    tree = preparation.AudioFolder(folder / "data", one_form=True)
    there = {item.name: item for item in tree.folders("*")}
    bad = {name: "no such folder" for name in speakers if name not in there}
    check_bad_items(bad, len(speakers), "speakers", f"unpack all of data/ that {path} lists")
    listed = [there[name] for name in dict.fromkeys(speakers) if name in there]
    return tree.audio(tree.survey(listed, "*"), "*")


def find_extra(data: Path) -> list[Path]:
    """Find the recordings of the speakers of CN-Celeb2."""
    paths = preparation.find_audio(data, "id*", "*")
    if not paths:
        raise ValueError(f"{data}: no speakers' folders id*/ in it; expected CN-Celeb2_flac/data/")
    return paths


def find_tests(folder: Path) -> list[Path]:
    """Find the recordings of enroll/ or test/."""
    paths = preparation.find_audio(folder, "id*")
    if not paths:
        raise ValueError(f"{folder}: no id*.flac or id*.wav in it")
    return paths


def read_training(paths: Iterable[Path], num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances <speaker>-<file's name> of recordings."""
    for path, info in preparation.read_infos(paths, num_jobs):
        speaker = path.parent.name
        yield Utterance(f"{speaker}-{path.stem}", speaker, wav_entry(path, info), info)


def read_evaluation(paths: Iterable[Path], num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances of enroll/ and test/, whose file names are their ids."""
    for path, info in preparation.read_infos(paths, num_jobs):
        yield Utterance(path.stem, path.stem.split("-")[0], wav_entry(path, info), info)


if __name__ == "__main__":
    command.run(main)
