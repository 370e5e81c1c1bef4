#!/usr/bin/env python3
"""Stage 0 for Kaldi data directories: their ids, speakers, segments, sexes and texts as they are.

Either --train-dir and --test-dir, or --corpus-dir: with train/ and test/ in it, or a data directory
itself, whose speakers are split by seed and share. wav.scp may hold paths and commands; relative
paths are those below the current directory or, where it has no such file, below one of the folders
around the data directory. The test directory's own trial lists `trials` and `trials_*`, in any
form that --trial-lists takes, are used instead of drawn ones, and so are the models of its
`enroll_spk2utt`, of lines `<model> <utterance> ...`.
"""

import argparse
import logging
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock

from deep_speaker import corpora
from deep_speaker.corpora.sorted_utterances import SortedUtterances
from deep_speaker.kaldi.audio import segment_bounds
from deep_speaker.kaldi.data_dir import read_utterances
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import file_of_entry
from deep_speaker.system import command
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.files import scratch_directory
from deep_speaker.trials.lists import list_trial_files
from deep_speaker.trials.models import read_models
from deep_speaker.validation.data_dirs import validate_data_dir

NEEDED = ("wav.scp", "utt2spk", "spk2utt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    corpora.add_options(parser)
    corpora.add_folder_options(
        parser,
        "folder of data directories train/ and test/, or one to be split by speaker",
        "data directory of the training speakers",
        "data directory of the test speakers",
    )
    corpora.add_share_option(parser)
    options = parser.parse_args()
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        if (options.corpus_dir / "wav.scp").is_file():
            write_split(options)
        else:
            write_sets(options, options.corpus_dir / "train", options.corpus_dir / "test")
    elif options.train_dir and options.test_dir and not options.corpus_dir:
        write_sets(options, options.train_dir, options.test_dir)
    else:
        raise ValueError("corpus 'kaldi' needs --corpus-dir, or both --train-dir and --test-dir")


def write_sets(options: argparse.Namespace, train_dir: Path, test_dir: Path) -> None:
    """Take two data directories, and the trials of the second."""
    for folder in (train_dir, test_dir):
        check_data_dir(folder)
    corpora.write_corpus(
        options,
        read_data_dir(train_dir, options.nj),
        read_data_dir(test_dir, options.nj),
        {path.name: path for path in list_trial_files(test_dir)},
        read_models(test_dir),
    )


def write_split(options: argparse.Namespace) -> None:
    """Split a data directory by speaker."""
    folder = options.corpus_dir
    check_data_dir(folder)
    if list_trial_files(folder):
        logging.warning("%s: its trials are not used, as a part of it trains", folder)
    speakers = (speaker for _, speaker in iterate_table(folder / "utt2spk"))
    tested = corpora.choose_test_speakers(speakers, options.test_share, options.data_seed)
    logging.info("%s is split: %d of its speakers test", folder, len(tested))
    with scratch_directory(options.output / "splitting.partial") as scratch:
        everything = SortedUtterances(scratch / "all", read_data_dir(folder, options.nj))
        corpora.write_corpus(
            options,
            (item for item in everything if item.speaker not in tested),
            (item for item in everything if item.speaker in tested),
        )


def check_data_dir(folder: Path) -> None:
    """Refuse what Kaldi's validate_data_dir.sh refuses.

    Raises:
        ValueError: with file, key and remedy.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected a Kaldi data directory")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder}: no {' or '.join(missing)} in it; expected a Kaldi data directory with "
            f"{', '.join(NEEDED)}"
        )
    try:
        validate_data_dir(folder)
    except ValueError as error:
        raise ValueError(f"{error} (utils/fix_data_dir.sh of Kaldi mends most)") from error


def read_data_dir(folder: Path, num_jobs: int) -> Iterator[Utterance]:
    """The utterances of a data directory that Kaldi accepts, their audio where it can be found."""
    return fit_segments(read_utterances(folder, num_jobs, make_locator(folder)))


def make_locator(folder: Path) -> Callable[[str], str]:
    """A function that makes an entry of wav.scp independent of the current directory.

    Where the first relative path is found, there all others are expected: a stray file elsewhere
    must not stand for one of them.

    Args:
        folder: that of wav.scp, absolute.
    """
    places = [Path.cwd(), folder, *folder.parents]
    root: list[Path] = []  # once it is known
    lock = Lock()  # entries are located by several threads

    def find_root(names: Iterable[str]) -> Path | None:
        with lock:
            relative = [name for name in names if re.match(r"[^-/].*[./]", name)]  # no options
            if not root:
                root.extend(
                    place for place in places if any((place / name).is_file() for name in relative)
                )
            return root[0] if root and relative else None

    def locate(entry: str) -> str:
        path = file_of_entry(entry)
        if path is not None and path.is_absolute():
            return entry
        if path is None:
            try:
                place = find_root(shlex.split(entry.removesuffix("|")))
            except ValueError:  # the shell will say what is wrong with it
                return entry
            return f"cd {shlex.quote(str(place))} && {entry}" if place else entry
        place = find_root([str(path)])
        if place is None or not (place / path).is_file():
            looked_in = place or f"{places[0]}, {folder} or a folder around it"
            raise ValueError(
                f"{path}: no such file below {looked_in}: make the paths in wav.scp absolute, or "
                "run this where they start"
            )
        if not entry.endswith("|"):
            return str(place / path)
        words = shlex.split(entry.removesuffix("|"))
        return shlex.join([str(place / path) if Path(w) == path else w for w in words]) + " |"

    return locate


def fit_segments(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Cut segments that reach a little past their recordings, and leave out those that lie outside.

    Raises:
        ValueError: too many lie outside; see `check_bad_items`. At the end, when all are known.
    """
    bad: dict[str, str] = {}
    total = num_cut = 0
    for item in utterances:
        total += 1
        if item.segment:
            try:
                segment_bounds(
                    item.info.sampling_rate,
                    item.info.num_samples,
                    item.segment.start,
                    item.segment.end,
                )
            except ValueError as error:
                bad[item.id] = str(error)
                continue
            if item.segment.end > item.info.duration:
                num_cut += 1
                item = replace(item, segment=replace(item.segment, end=item.info.duration))
        yield item
    if num_cut:
        logging.info("%d segments end after their recordings, and are cut there", num_cut)
    check_bad_items(bad, total, "segments", "mend their times")


if __name__ == "__main__":
    command.run(main)
