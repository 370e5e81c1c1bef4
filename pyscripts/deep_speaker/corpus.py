"""Where every local/prepare_<corpus>.py ends: manifests, data directories and trials (stage 0)."""

import argparse
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from deep_speaker.audio import AudioInfo, read_info
from deep_speaker.bad_items import check_bad_items
from deep_speaker.command import add_jobs_option, positive_int
from deep_speaker.data_dir import Utterance, write_data_dir
from deep_speaker.files import replacing_directory
from deep_speaker.manifests import write_manifests
from deep_speaker.trials import (
    Trial,
    draw_one_plus_99,
    draw_trials,
    list_trial_files,
    read_known_trials,
    write_trials,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that run.sh passes to every local/prepare_<corpus>.py."""
    parser.add_argument("output", type=Path, help="data/<name>, the folder to write")
    parser.add_argument("--data-seed", type=int, default=0, help="of splits and trials (default 0)")
    parser.add_argument(
        "--trials",
        choices=("all", "balanced"),
        default="all",
        help="all pairs up to --max-trials, or as many targets as nontargets (default all)",
    )
    parser.add_argument("--max-trials", type=positive_int, default=200000)
    add_jobs_option(parser)


def safe_id(text: str) -> str:
    """Map a name to what Kaldi's two orders of utt2spk allow in a speaker id.

    Letters and digits of any script, `_` and `.` stay; anything else, above all what sorts below
    the dash that follows the speaker id, becomes `_`.

    >>> safe_id("Anna-Maria (2)")
    'Anna_Maria__2_'
    """
    return re.sub(r"[^\w.]", "_", text)


def read_infos(paths: Sequence[Path], num_jobs: int) -> dict[Path, AudioInfo]:
    """Read the headers of audio files; bad ones are listed in the log and left out.

    Raises:
        ValueError: too many are bad; see `check_bad_items`.
    """

    def read(path: Path) -> AudioInfo | str:
        try:
            return read_info(path)
        except (ValueError, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(num_jobs) as pool:
        results = dict(zip(paths, pool.map(read, paths), strict=True))
    bad = {path: reason for path, reason in results.items() if isinstance(reason, str)}
    check_bad_items(bad, len(paths), "files", "mend or remove the files")
    return {path: info for path, info in results.items() if isinstance(info, AudioInfo)}


def write_corpus(
    options: argparse.Namespace, train: Sequence[Utterance], test: Sequence[Utterance]
) -> None:
    """Check the two sets, draw the trials and write `options.output`/{manifests,train,test}.

    Raises:
        ValueError: the sets do not fit, see `check_sets`, or the test set allows no trials.
    """
    check_sets(options.output, train, test)
    utt2spk = {item.id: item.speaker for item in test}
    rng = np.random.default_rng(options.data_seed)
    trial_lists = {
        "trials": draw_trials(utt2spk, options.trials, options.max_trials, rng),
        "trials_one_plus_99": draw_one_plus_99(utt2spk, options.max_trials, rng),
    }
    write_sets(options.output, train, test, trial_lists)


def check_sets(output: Path, train: Sequence[Utterance], test: Sequence[Utterance]) -> None:
    """Check that two sets may train and test, and lie outside the folders that get their tables.

    Raises:
        ValueError: a set is empty, an id comes twice or lacks its speaker's prefix, a speaker is
            in both sets, or a file of a training speaker is another's too.
    """
    for name, utterances in (("train", train), ("test", test)):
        _check_utterances(name, utterances)
        _check_place(output, utterances)
    shared = {item.speaker for item in train} & {item.speaker for item in test}
    if shared:
        raise ValueError(
            f"{len(shared)} speakers are in both train and test, first {min(shared)!r}: "
            "verification is tested on unseen speakers, so remove or rename them in one"
        )
    files = [(item.path.resolve(), item) for item in [*train, *test]]
    trained = dict(files[: len(train)])
    for path, item in files:  # corpora may share test files: each has trials of its own
        owner = trained.get(path, item)
        if owner.speaker != item.speaker:
            raise ValueError(
                f"{path} is in the training set, as {owner.id!r}, and once more as {item.id!r}: "
                "remove one of the two speakers"
            )


def write_sets(
    output: Path,
    train: Sequence[Utterance],
    test: Sequence[Utterance],
    trial_lists: Mapping[str, Sequence[Trial]],
) -> None:
    """Write `output`/{manifests,train,test} of sets that `check_sets` has passed.

    Args:
        trial_lists: by file name. Others in `output`/test, which a user has put there, stay.

    Raises:
        ValueError: a list of the user's names what is not in the test set.
    """
    utt2spk = {item.id: item.speaker for item in test}
    lists = dict(trial_lists)
    for path in list_trial_files(output / "test"):
        if path.name not in trial_lists:
            lists[path.name] = read_known_trials(path, utt2spk)
    for name, utterances in (("train", train), ("test", test)):
        data_dir = output / name
        with replacing_directory(data_dir) as partial:
            write_data_dir(partial, utterances)
            for file_name, trials in lists.items() if name == "test" else ():
                write_trials(partial / file_name, trials)
        write_manifests(data_dir, utterances)
        hours = sum(item.info.duration for item in utterances) / 3600
        speakers = len({item.speaker for item in utterances})
        logging.info(
            "%s: %d utterances of %d speakers, %.2f h", data_dir, len(utterances), speakers, hours
        )
    for file_name, trials in lists.items():
        num_targets = sum(trial.target for trial in trials)
        logging.info(
            "%s: %d target and %d nontarget trials",
            output / "test" / file_name, num_targets, len(trials) - num_targets,
        )  # fmt: skip


def _check_place(output: Path, utterances: Sequence[Utterance]) -> None:
    """Refuse audio inside the folders that are about to be replaced."""
    for name in ("train", "test"):
        folder = (output / name).resolve()
        inside = [item.path for item in utterances if folder in item.path.resolve().parents]
        if inside:
            raise ValueError(
                f"{inside[0]} lies in {folder}, which stage 0 replaces: move the audio elsewhere"
            )


def _check_utterances(name: str, utterances: Sequence[Utterance]) -> None:
    if not utterances:
        raise ValueError(f"the {name} set has no utterances")
    paths: dict[str, Path] = {}
    for item in utterances:
        if item.id in paths:
            raise ValueError(
                f"utterance id {item.id!r} comes twice, from {paths[item.id]} and {item.path}: "
                "rename or remove one"
            )
        paths[item.id] = item.path
        if not item.id.startswith(f"{item.speaker}-") or safe_id(item.speaker) != item.speaker:
            raise ValueError(f"utterance id {item.id!r} does not follow from {item.speaker!r}")
