"""Where every local/prepare_<corpus>.py ends: manifests, data directories and trials (stage 0)."""

import argparse
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from deep_speaker.audio import AudioInfo, read_info
from deep_speaker.bad_items import check_bad_items
from deep_speaker.command import add_jobs_option, positive_int
from deep_speaker.data_dir import Utterance, write_data_dir
from deep_speaker.files import replacing_directory
from deep_speaker.manifests import write_manifests
from deep_speaker.trials import TRIAL_LISTS, draw_one_plus_99, draw_trials, write_trials


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that run.sh passes to every local/prepare_<corpus>.py."""
    parser.add_argument("output", type=Path, help="data/<corpus>, the folder to write")
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
    """Check the two sets and write `options.output`/{manifests,train,test}.

    Raises:
        ValueError: a set is empty, an id comes twice or lacks its speaker's prefix, a speaker is
            in both sets, or the test set allows no trials.
    """
    for name, utterances in (("train", train), ("test", test)):
        _check_utterances(name, utterances)
        _check_place(options.output, utterances)
    shared = {item.speaker for item in train} & {item.speaker for item in test}
    if shared:
        raise ValueError(
            f"{len(shared)} speakers are in both train and test, first {min(shared)!r}: "
            "verification is tested on unseen speakers, so remove or rename them in one"
        )
    utt2spk = {item.id: item.speaker for item in test}
    rng = np.random.default_rng(options.data_seed)
    pairs = draw_trials(utt2spk, options.trials, options.max_trials, rng)
    anchors = draw_one_plus_99(utt2spk, options.max_trials, rng)
    for name, utterances in (("train", train), ("test", test)):
        data_dir = options.output / name
        with replacing_directory(data_dir) as partial:
            write_data_dir(partial, utterances)
            if name == "test":
                write_trials(partial / TRIAL_LISTS["trials"], pairs)
                write_trials(partial / TRIAL_LISTS["one_plus_99"], anchors)
        write_manifests(data_dir, utterances)
        hours = sum(item.info.duration for item in utterances) / 3600
        speakers = len({item.speaker for item in utterances})
        logging.info(
            "%s: %d utterances of %d speakers, %.2f h", data_dir, len(utterances), speakers, hours
        )
    num_targets = sum(trial.target for trial in pairs)
    logging.info(
        "%s: %d target and %d nontarget trials; 1 + %d protocol with %d anchors",
        options.output / "test",
        num_targets,
        len(pairs) - num_targets,
        len(anchors) // max(1, sum(trial.target for trial in anchors)) - 1,
        sum(trial.target for trial in anchors),
    )


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
