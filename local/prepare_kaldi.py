#!/usr/bin/env python3
"""Stage 0 for Kaldi data directories: their ids, speakers, segments, sexes and texts as they are.

Either --train-dir and --test-dir; or --test-dir alone, to judge published weights; or --corpus-dir:
with train/ and test/ in it, or a data directory itself, whose speakers are split by seed and share.
wav.scp may hold paths, and commands, which a shell runs, unless --commands refuse. Relative paths
start at the current directory or, if there is no such file, at a folder around the data directory.
The trial lists `trials` and `trials_*` of the test directory, in any form that --trial-lists takes,
replace drawn ones; they may name the models of its `enroll_spk2utt`, of lines `<model> <utterance>
...`.
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.corpora.sorted_utterances import SortedUtterances
from deep_speaker.kaldi.data_dir import read_utterances
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.system import command
from deep_speaker.system.files import scratch_directory
from deep_speaker.system.locks import locked
from deep_speaker.trials.lists import list_trial_files
from deep_speaker.trials.models import read_models
from deep_speaker.validation.data_dirs import validate_data_dir
from relative_paths import make_locator

NEEDED = ("wav.scp", "utt2spk", "spk2utt")
# Tables that are not used here, and that fix_data_dir.sh of Kaldi leaves at odds with the others:
# it drops no lines of some, and no utterances that others lack.
IGNORED = (
    "vad.scp",
    "utt_cmvn.scp",
    "utt2uniq",
    "utt2warp",
    "spk2warp",
    "reco2dur",
    "reco2file_and_channel",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(
        parser,
        "folder of data directories train/ and test/, or one to be split by speaker",
        "data directory of the training speakers",
        "data directory of the test speakers",
    )
    preparation.add_share_option(parser)
    preparation.add_commands_option(parser)
    options = parser.parse_args()
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        if (options.corpus_dir / "wav.scp").is_file():
            write_split(options)
        else:
            write_sets(options, options.corpus_dir / "train", options.corpus_dir / "test")
    elif options.test_dir and not options.corpus_dir:
        write_sets(options, options.train_dir, options.test_dir)
    else:
        raise ValueError(preparation.explain_folders("kaldi"))


def write_sets(options: argparse.Namespace, train_dir: Path | None, test_dir: Path) -> None:
    """Take two data directories, or the second alone, and the trials of the second."""
    for folder in (train_dir, test_dir):
        if folder:
            check_data_dir(folder, options.commands)
    preparation.write_corpus(
        options,
        read_data_dir(train_dir, options.nj) if train_dir else None,
        read_data_dir(test_dir, options.nj),
        {path.name: path for path in list_trial_files(test_dir)},
        read_models(test_dir),
    )


def write_split(options: argparse.Namespace) -> None:
    """Split a data directory by speaker."""
    folder = options.corpus_dir
    check_data_dir(folder, options.commands)
    if list_trial_files(folder):
        logging.warning("%s: its trials are not used, as a part of it trains", folder)
    speakers = (speaker for _, speaker in iterate_table(folder / "utt2spk"))
    tested = preparation.choose_test_speakers(speakers, options.test_share, options.data_seed)
    logging.info("%s is split: %d of its speakers test", folder, len(tested))
    place = options.output / "splitting.partial"
    with locked(options.output), scratch_directory(place) as scratch:
        everything = SortedUtterances(scratch / "all", read_data_dir(folder, options.nj))
        preparation.write_corpus(
            options,
            (item for item in everything if item.speaker not in tested),
            (item for item in everything if item.speaker in tested),
        )


def check_data_dir(folder: Path, commands: str) -> None:
    """Refuse what Kaldi's validate_data_dir.sh refuses, but for the tables of `IGNORED`.

    Args:
        commands: what to do about commands in wav.scp, before any of them runs.

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
        validate_data_dir(folder, IGNORED)
    except ValueError as error:
        raise ValueError(f"{error} (utils/fix_data_dir.sh of Kaldi mends most)") from error
    wav_scp = folder / "wav.scp"
    preparation.check_commands(str(wav_scp), iterate_table(wav_scp), commands)


def read_data_dir(folder: Path, num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances of a data directory that Kaldi accepts, relative paths made absolute."""
    return preparation.fit_segments(read_utterances(folder, num_jobs, make_locator(folder)))


if __name__ == "__main__":
    command.run(main)
