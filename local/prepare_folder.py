#!/usr/bin/env python3
"""Stage 0 for folders of your own: one folder per speaker, audio anywhere below it.

Either --corpus-dir, whose speakers are split into train and test by seed and share (with
--closed-set: the utterances of every speaker are), or --train-dir and --test-dir, or --test-dir
alone, to judge published weights. A speaker id is the folder's name with unsafe characters replaced
by an underscore; a file sex.tsv beside the speakers' folders, of lines `<folder> m|f`, gives
same-sex results. An utterance id is the speaker id, a dash, and the path below the speaker's
folder, its parts joined by dashes; a file whose name begins with the speaker id and a dash keeps
its name.

Of several channels the first is heard, or the Nth with --channel N. With --channel each, each
channel of a file is a recording: channel N of the files of <folder> is speaker <folder>_N. That
fits calls whose sides are two people, the same two in all calls of a folder; both train, or both
test. sex.tsv then has lines `<folder>_N m|f`.

--unlabelled takes the files of --train-dir, anywhere below it, for speech of which nobody knows who
speaks: each is a speaker of its own, named by its path. Distillation learns from such.
"""

import argparse
import glob
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import AUDIO_SUFFIXES, wav_entry
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
    train: Iterator[Utterance] | None
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        speakers = list_speakers(options.corpus_dir)
        if options.closed_set:
            train, test = (
                read_speakers(
                    speakers,
                    options.nj,
                    options.channel,
                    partial(choose_files, options.test_share, options.data_seed, part),
                )
                for part in ("train", "test")
            )
        else:
            tested = preparation.choose_test_speakers(
                speakers, options.test_share, options.data_seed
            )
            train, test = (
                read_speakers(
                    {key: speakers[key] for key in sorted(keys)}, options.nj, options.channel
                )
                for keys in (speakers.keys() - tested, tested)
            )
    elif options.test_dir and not (options.corpus_dir or options.closed_set):
        train = None
        if options.unlabelled:
            train = read_unlabelled(options.train_dir, options.nj, options.channel)
        elif options.train_dir:
            train = read_speakers(list_speakers(options.train_dir), options.nj, options.channel)
        test = read_speakers(list_speakers(options.test_dir), options.nj, options.channel)
    else:
        raise ValueError(preparation.explain_folders("folder", ", with or without --closed-set"))
    preparation.write_corpus(options, train, test, closed_set=options.closed_set)


def list_speakers(folder: Path) -> dict[str, Path]:
    """List the folders of speakers that hold audio, by speaker id, sorted."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; {EXPECTED}")
    speakers: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_dir() or not any(find_audio(path)):
            continue
        speaker = preparation.safe_id(path.name)
        if speaker in speakers:
            raise ValueError(
                f"{folder}: {speakers[speaker].name!r} and {path.name!r} both become speaker "
                f"{speaker!r}: rename one"
            )
        speakers[speaker] = path
    if not speakers:
        raise ValueError(f"{folder}: no audio found; {EXPECTED}")
    names = [path.name for path in speakers.values()]
    logging.info("%s: %d speakers, first %s", folder, len(names), ", ".join(names[:3]))
    loose = [path for path in folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES]
    if loose:
        logging.warning(
            "%s: %d files lie in no speaker's folder and are left out", folder, len(loose)
        )
    return speakers


def find_audio(folder: Path) -> Iterator[Path]:
    """Yield audio files below a folder; unlike rglob, follow links and leave out hidden files."""
    for name in glob.iglob(f"{glob.escape(str(folder))}/**", recursive=True):  # noqa: PTH207
        path = Path(name)
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
            yield path


def read_speakers(
    speakers: dict[str, Path],
    num_jobs: int,
    channel: int | str,
    choose: Callable[[str, list[Path]], list[Path]] = lambda _, paths: paths,
) -> Iterator[Utterance]:
    """Yield the utterances of speakers' folders, of each those that `choose` takes.

    Args:
        channel: of --channel.
    """
    folder = next(iter(speakers.values())).parent
    sexes = read_sexes(folder)
    ids = {path.name: speaker for speaker, path in speakers.items()}
    paths = (
        path
        for speaker, below in speakers.items()
        for path in choose(speaker, sorted(find_audio(below)))
    )
    for path, info, heard in preparation.read_channels(paths, num_jobs, channel):
        name, *rest = path.relative_to(folder).with_suffix("").parts
        side = name_side(channel, heard)
        speaker = ids[name] + side
        key = speaker + utterance_id(ids[name], rest).removeprefix(ids[name])
        yield Utterance(key, speaker, wav_entry(path, info, heard), info, sexes.get(name + side))


def name_side(channel: int | str, heard: int) -> str:
    """Return what follows a folder's name in the speaker id: `_N` with --channel each."""
    return f"_{heard + 1}" if channel == preparation.EACH else ""


def read_unlabelled(folder: Path, num_jobs: int, channel: int | str) -> Iterator[Utterance]:
    """Yield the audio files below a folder as utterances, each of a speaker of its own."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected **/*.wav, .flac, ... in it")
    paths = sorted(find_audio(folder))
    if not paths:
        raise ValueError(f"{folder}: no audio found; expected **/*.wav, .flac, ... in it")
    logging.info("%s: %d files, each taken as a speaker of its own", folder, len(paths))
    for path, info, heard in preparation.read_channels(paths, num_jobs, channel):
        key = preparation.safe_id(str(path.relative_to(folder).with_suffix("")))
        key += name_side(channel, heard)
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


def read_sexes(folder: Path) -> dict[str, str]:
    """Read the lines `<speaker's folder> m|f` of sex.tsv, if there is one."""
    path = folder / "sex.tsv"
    if not path.is_file():
        return {}
    sexes = {}
    for number, line in enumerate(read_utf8(path).splitlines(), 1):
        fields = line.rsplit(maxsplit=1)  # the folder's name may hold spaces
        if len(fields) != 2 or fields[1] not in ("m", "f"):
            raise ValueError(f"{path}, line {number}: expected '<speaker> m|f', got {line!r}")
        sexes[fields[0].strip()] = fields[1]
    missing = {item.name for item in folder.iterdir() if item.is_dir()}
    missing = {name for name in missing if not {name, f"{name}_1"} & sexes.keys()}  # or by side
    if missing:
        logging.warning(
            "%s: %d speakers are missing, first %r: no same-sex results",
            path, len(missing), min(missing),
        )  # fmt: skip
    return sexes


def utterance_id(speaker: str, parts: list[str]) -> str:
    """Join the speaker id and the path below its folder by dashes, with the speaker only once.

    >>> utterance_id("ar01", ["ar01-003"]), utterance_id("anna", ["mon day", "1"])
    ('ar01-003', 'anna-mon_day-1')
    """
    safe = ["-".join(preparation.safe_id(word) for word in part.split("-")) for part in parts]
    if len(safe) == 1 and safe[0].startswith(f"{speaker}-"):
        return safe[0]
    return "-".join([speaker, *safe])


if __name__ == "__main__":
    command.run(main)
