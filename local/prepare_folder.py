#!/usr/bin/env python3
"""Stage 0 for folders of your own: one folder per speaker, audio anywhere below it.

Either --corpus-dir, whose speakers are split into train and test by seed and share (with
--closed-set: the utterances of every speaker are), or --train-dir and --test-dir, or --test-dir
alone, to judge published weights. A speaker id is the folder's name with unsafe characters replaced
by an underscore; a file sex.tsv beside the speakers' folders, of lines `<folder> m|f`, gives
same-sex results. An utterance id is the speaker id, a dash, and the path below the speaker's
folder, its parts joined by dashes; a file whose name begins with the speaker id and a dash keeps
its name. Where two names would become one id, the second gets a number.

Of several channels the first is heard, or the Nth with --channel N. With --channel each, each
channel of a file is a recording: channel N of the files of <folder> is speaker <folder>_N. That
fits calls whose sides are two people, the same two in all calls of a folder; both train, or both
test. sex.tsv then has lines `<folder>_N m|f`.

--unlabelled takes the files of --train-dir, anywhere below it, for speech of which nobody knows who
speaks: each is a speaker of its own, named by its path. Distillation learns from such.
"""

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from unicodedata import normalize
from zlib import crc32

import numpy as np

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from deep_speaker.system.files import read_utf8

EXPECTED = "expected <speaker>/**/*.wav, .flac, ... in it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(
        parser,
        "speakers' folders, to be split",
        "folders of the training speakers",
        "folders of the test speakers",
    )
    preparation.add_share_option(parser)
    preparation.add_channel_option(parser)
    parser.add_argument(
        "--closed-set",
        action="store_true",
        help="test other utterances of the training speakers, --test-share of each one's",
    )
    parser.add_argument(
        "--unlabelled",
        action="store_true",
        help="take each file of --train-dir as a speaker of its own, as distillation may",
    )
    options = parser.parse_args()
    if options.unlabelled and not (options.train_dir and options.test_dir):
        raise ValueError("--unlabelled is for --train-dir, beside a --test-dir of known speakers")
    read = partial(read_speakers, num_jobs=options.nj, channel=options.channel)
    train: Iterator[Utterance] | None
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        tree = preparation.AudioFolder(options.corpus_dir)
        [speakers] = list_speakers(tree)
        if options.closed_set:
            choose = partial(choose_files, options.test_share, options.data_seed)
            train, test = (
                read(tree, speakers, choose=partial(choose, part)) for part in ("train", "test")
            )
        else:
            chosen = preparation.choose_test_speakers(
                speakers, options.test_share, options.data_seed
            )
            train, test = (
                read(tree, {key: speakers[key] for key in sorted(keys)})
                for keys in (speakers.keys() - chosen, chosen)
            )
    elif options.test_dir and not (options.corpus_dir or options.closed_set):
        train = None
        tree = preparation.AudioFolder(options.test_dir)
        if options.train_dir and not options.unlabelled:
            train_tree = preparation.AudioFolder(options.train_dir)
            training, tested = list_speakers(train_tree, tree)
            train = read(train_tree, training)
        else:
            [tested] = list_speakers(tree)
            if options.unlabelled:
                train = read_unlabelled(options.train_dir, options.nj, options.channel)
        test = read(tree, tested)
    else:
        raise ValueError(preparation.explain_folders("folder", ", with or without --closed-set"))
    preparation.write_corpus(options, train, test, closed_set=options.closed_set)


def list_speakers(*trees: preparation.AudioFolder) -> list[dict[str, Path]]:
    """List the folders of speakers that hold audio, by speaker id, for each of the trees.

    A name is one speaker's in all of them.
    """
    found = [find_speakers(tree) for tree in trees]
    ids = preparation.SafeIds(path.name for folders in found for path in folders)
    tell_numbered("speakers", ids.numbered())
    return [{ids.of(path.name): path for path in folders} for folders in found]


def find_speakers(tree: preparation.AudioFolder) -> list[Path]:
    """Find the folders of speakers that hold audio; tell what is left out."""
    if not tree.root.is_dir():
        raise ValueError(f"{tree.root}: no such folder; {EXPECTED}")
    folders = tree.survey(tree.folders("*"))
    if not folders:
        raise ValueError(f"{tree.root}: no audio found; {EXPECTED}")
    names = ", ".join(path.name for path in folders[:3])
    logging.info("%s: %d speakers, first %s", tree.root, len(folders), names)
    loose = list(tree.audio([tree.root], "*"))
    if loose:
        logging.warning(
            "%s: %d files lie in no speaker's folder and are left out", tree.root, len(loose)
        )
    return folders


def tell_numbered(kind: str, numbered: dict[str, str]) -> None:
    """Tell of names that have a number in their ids."""
    if numbered:
        name, key = next(iter(numbered.items()))
        logging.warning(
            "%d %s get a number, as their names would become the ids of others: first %r, now %s",
            len(numbered), kind, name, key,
        )  # fmt: skip


def read_speakers(
    tree: preparation.AudioFolder,
    speakers: dict[str, Path],
    num_jobs: int,
    channel: int | str,
    choose: Callable[[str, list[Path]], list[Path]] = lambda _, paths: paths,
) -> Iterator[Utterance]:
    """Yield --channel of the utterances of speakers' folders, of each those that `choose` takes."""
    first = name_side(channel, 0)
    sexes = read_sexes(tree.root, [path.name + first for path in speakers.values()])
    waiting: dict[Path, tuple[str, str]] = {}  # ids of speaker and utterance, until it is read
    numbered: dict[str, str] = {}

    def find_audio() -> Iterator[Path]:
        for folder_id, folder in speakers.items():
            paths = list(tree.audio([folder]))
            names = {path: _name_below(folder, path) for path in paths}
            ids = preparation.SafeIds(names.values(), partial(utterance_id, folder_id))
            for path in choose(folder_id, paths):
                waiting[path] = folder_id, ids.of(names[path])
                yield path
            numbered.update((f"{folder_id}/{name}", key) for name, key in ids.numbered().items())

    for path, info, heard in preparation.read_channels(find_audio(), num_jobs, channel):
        if path in waiting:  # its channels follow one another
            folder_id, key = waiting.pop(path)
        side = name_side(channel, heard)
        speaker = folder_id + side
        sex = sexes.get(normalize("NFC", speakers[folder_id].name) + side)
        side_key = speaker + key.removeprefix(folder_id)
        yield Utterance(side_key, speaker, wav_entry(path, info, heard), info, sex)
    tell_numbered("files", numbered)


def _name_below(folder: Path, path: Path) -> str:
    """Return the path below a folder, without its suffix."""
    return str(path.relative_to(folder).with_suffix(""))


def name_side(channel: int | str, heard: int) -> str:
    """Return what follows a folder's name in the speaker id: `_N` with --channel each."""
    return f"_{heard + 1}" if channel == preparation.EACH else ""


def read_unlabelled(folder: Path, num_jobs: int, channel: int | str) -> Iterator[Utterance]:
    """Yield the audio files below a folder as utterances, each of a speaker of its own."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected **/*.wav, .flac, ... in it")
    tree = preparation.AudioFolder(folder)
    paths = list(tree.audio(tree.survey([folder])))
    if not paths:
        raise ValueError(f"{folder}: no audio found; expected **/*.wav, .flac, ... in it")
    logging.info("%s: %d files, each taken as a speaker of its own", folder, len(paths))
    ids = preparation.SafeIds(_name_below(folder, path) for path in paths)
    tell_numbered("files", ids.numbered())
    for path, info, heard in preparation.read_channels(paths, num_jobs, channel):
        key = ids.of(_name_below(folder, path)) + name_side(channel, heard)
        yield Utterance(key, key, wav_entry(path, info, heard), info)


def choose_files(
    test_share: float, seed: int, part: str, speaker: str, paths: list[Path]
) -> list[Path]:
    """Choose a speaker's files that train, or test: a random share of at least 2 (of 2, none)."""
    if not 0 < test_share < 1:
        raise ValueError(f"--test-share {test_share:g}: expected a share between 0 and 1")
    num_test = max(2, round(test_share * len(paths)))
    if num_test >= len(paths):
        num_test = 0
    order = np.random.default_rng([seed, crc32(speaker.encode())]).permutation(len(paths))
    tests = order < num_test
    return [path for path, test in zip(paths, tests, strict=True) if test == (part == "test")]


def read_sexes(folder: Path, speakers: Iterable[str]) -> dict[str, str]:
    """Read the lines `<speaker's folder> m|f` of sex.tsv, if there is one.

    Names are composed: those of folders from a Mac are not, and would look the same.
    """
    path = folder / "sex.tsv"
    if not path.is_file():
        return {}
    sexes = {}
    for number, line in enumerate(read_utf8(path).splitlines(), 1):
        fields = line.rsplit(maxsplit=1)  # the folder's name may hold spaces
        if len(fields) != 2 or fields[1] not in ("m", "f"):
            raise ValueError(f"{path}, line {number}: expected '<speaker> m|f', got {line!r}")
        sexes[normalize("NFC", fields[0].strip())] = fields[1]
    missing = {normalize("NFC", name) for name in speakers} - sexes.keys()
    if missing:
        logging.warning(
            "%s: %d speakers are missing, first %r: no same-sex results",
            path, len(missing), min(missing),
        )  # fmt: skip
    return sexes


def utterance_id(speaker: str, name: str) -> str:
    """Join the speaker id and the path below its folder by dashes, with the speaker only once.

    >>> utterance_id("ar01", "ar01-003"), utterance_id("anna", "mon day/1")
    ('ar01-003', 'anna-mon_day-1')
    """
    parts = name.split("/")
    safe = ["-".join(preparation.safe_id(word) for word in part.split("-")) for part in parts]
    if len(safe) == 1 and safe[0].startswith(f"{speaker}-"):
        return safe[0]
    return "-".join([speaker, *safe])


if __name__ == "__main__":
    command.run(main)
