#!/usr/bin/env python3
"""Stage 0 for folders of one's own: one folder per speaker, audio anywhere below it.

Either --corpus-dir, whose speakers are split into train and test by seed and share, or
--train-dir and --test-dir. A speaker id is the folder's name with unsafe characters replaced by
an underscore; a file sex.tsv beside the speakers' folders, of lines `<folder> m|f`, gives same-sex
results. An utterance id is the speaker id, a dash, and the path below the speaker's folder.
"""

import argparse
import glob
import logging
from pathlib import Path

import numpy as np

from deep_speaker import command, corpus
from deep_speaker.audio import AUDIO_SUFFIXES
from deep_speaker.data_dir import Utterance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    corpus.add_options(parser)
    parser.add_argument(
        "--corpus-dir", type=command.resolved_path, help="speakers' folders, to be split"
    )
    parser.add_argument(
        "--train-dir", type=command.resolved_path, help="folders of the training speakers"
    )
    parser.add_argument(
        "--test-dir", type=command.resolved_path, help="folders of the test speakers"
    )
    parser.add_argument(
        "--test-share", type=float, default=0.2, help="share of the speakers to test (default 0.2)"
    )
    options = parser.parse_args()
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        train, test = split_speakers(
            read_speakers(options.corpus_dir, options.nj), options.test_share, options.data_seed
        )
    elif options.train_dir and options.test_dir and not options.corpus_dir:
        train, test = (
            read_speakers(folder, options.nj) for folder in (options.train_dir, options.test_dir)
        )
    else:
        raise ValueError("corpus 'folder' needs --corpus-dir, or both --train-dir and --test-dir")
    corpus.write_corpus(options, train, test)


def read_speakers(folder: Path, num_jobs: int) -> list[Utterance]:
    """All utterances of a folder of speakers' folders."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected <speaker>/**/*.wav, .flac, ... in it")
    # Unlike rglob, this follows links to folders, and leaves out hidden files.
    names_below = glob.iglob(f"{glob.escape(str(folder))}/**", recursive=True)  # noqa: PTH207
    paths = sorted(
        path
        for path in map(Path, names_below)
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and path.parent != folder
    )
    if not paths:
        raise ValueError(f"{folder}: no audio found; expected <speaker>/**/*.wav, .flac, ... in it")
    loose = [path for path in folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES]
    if loose:
        logging.warning(
            "%s: %d files lie in no speaker's folder and are left out", folder, len(loose)
        )
    sexes = read_sexes(folder)
    infos = corpus.read_infos(paths, num_jobs)
    utterances = []
    names: dict[str, str] = {}
    for path, info in infos.items():
        name, *rest = path.relative_to(folder).with_suffix("").parts
        speaker = corpus.safe_id(name)
        if names.setdefault(speaker, name) != name:
            raise ValueError(
                f"{folder}: {names[speaker]!r} and {name!r} both become speaker {speaker!r}: "
                "rename one"
            )
        utterances.append(
            Utterance(utterance_id(speaker, rest), speaker, path, info, sexes.get(name))
        )
    return utterances


def read_sexes(folder: Path) -> dict[str, str]:
    """The lines `<speaker's folder> m|f` of sex.tsv, if there is one."""
    path = folder / "sex.tsv"
    if not path.is_file():
        return {}
    sexes = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.rsplit(maxsplit=1)  # the folder's name may hold spaces
        if len(fields) != 2 or fields[1] not in ("m", "f"):
            raise ValueError(f"{path}, line {number}: expected '<speaker> m|f', got {line!r}")
        sexes[fields[0].strip()] = fields[1]
    missing = {item.name for item in folder.iterdir() if item.is_dir()} - sexes.keys()
    if missing:
        logging.warning(
            "%s: %d speakers are missing, first %r: no same-sex results",
            path, len(missing), min(missing),
        )  # fmt: skip
    return sexes


def utterance_id(speaker: str, parts: list[str]) -> str:
    """The speaker id, a dash and the path below its folder, without saying the speaker twice.

    >>> utterance_id("ar01", ["ar01-003"]), utterance_id("anna", ["mon day", "1"])
    ('ar01-003', 'anna-mon_day-1')
    """
    safe = ["-".join(corpus.safe_id(word) for word in part.split("-")) for part in parts]
    if len(safe) == 1 and safe[0].startswith(f"{speaker}-"):
        return safe[0]
    return "-".join([speaker, *safe])


def split_speakers(
    utterances: list[Utterance], test_share: float, seed: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Split by speaker: a random share of them, at least two, tests; the others train."""
    speakers = sorted({item.speaker for item in utterances})
    num_test = max(2, round(test_share * len(speakers)))
    if not 0 < test_share < 1 or len(speakers) - num_test < 2:
        raise ValueError(
            f"{len(speakers)} speakers, of whom --test-share {test_share:g} test: at least 2 must "
            "test and 2 train"
        )
    order = np.random.default_rng(seed).permutation(len(speakers))
    chosen = {speakers[i] for i in order[:num_test]}
    train = [item for item in utterances if item.speaker not in chosen]
    return train, [item for item in utterances if item.speaker in chosen]


if __name__ == "__main__":
    command.run(main)
