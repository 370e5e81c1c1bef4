"""Where every local/prepare_<corpus>.py ends: manifests, data directories and trials (stage 0)."""

import argparse
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deep_speaker.audio import AudioInfo, read_info
from deep_speaker.bad_items import check_bad_items
from deep_speaker.command import add_jobs_option, positive_int, resolved_path
from deep_speaker.corpus_checks import check_sets, check_source
from deep_speaker.data_dir import Utterance, write_data_dir
from deep_speaker.files import replacing_directory, scratch_directory
from deep_speaker.manifests import write_manifests
from deep_speaker.parallel import map_in_threads
from deep_speaker.sorted_utterances import SortedUtterances
from deep_speaker.tables import write_table
from deep_speaker.trial_lists import add_own_lists, gather_lists, write_lists
from deep_speaker.trials import Trial
from deep_speaker.validation import validate_data_dir


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
    parser.add_argument(
        "--trial-lists",
        type=resolved_path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="trials instead of drawn ones, in Kaldi's, voxceleb_trainer's or WeSpeaker's form",
    )
    parser.add_argument(
        "--enrolments",
        type=positive_int,
        nargs="+",
        default=[],
        metavar="N",
        help="also draw trials of speakers enrolled with N utterances each",
    )
    parser.add_argument(
        "--identification",
        action="store_true",
        help="also draw trials of all test utterances against all test speakers (closed set)",
    )
    add_jobs_option(parser)


def add_folder_options(
    parser: argparse.ArgumentParser, corpus_dir: str, train_dir: str = "", test_dir: str = ""
) -> None:
    """Where a corpus lies: --corpus-dir, or --train-dir and --test-dir where they have a help."""
    parser.add_argument("--corpus-dir", type=resolved_path, required=not train_dir, help=corpus_dir)
    for name, text in (("train", train_dir), ("test", test_dir)):
        if text:
            parser.add_argument(f"--{name}-dir", type=resolved_path, help=text)


def add_share_option(parser: argparse.ArgumentParser) -> None:
    """For corpora without test speakers of their own; see `choose_test_speakers`."""
    parser.add_argument(
        "--test-share", type=float, default=0.2, help="share of the speakers to test (default 0.2)"
    )


def choose_test_speakers(speakers: Iterable[str], test_share: float, seed: int) -> set[str]:
    """A random share of the speakers, at least two, to test; the others train.

    Raises:
        ValueError: fewer than 2 would train.
    """
    names = sorted(set(speakers))
    num_test = max(2, round(test_share * len(names)))
    if not 0 < test_share < 1 or len(names) - num_test < 2:
        raise ValueError(
            f"{len(names)} speakers ({', '.join(names[:3])}), of whom --test-share {test_share:g} "
            "test: at least 2 must test and 2 train"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[i] for i in order[:num_test]}


def safe_id(text: str) -> str:
    """Map a name to what Kaldi's two orders of utt2spk allow in a speaker id.

    Letters and digits of any script, `_` and `.` stay; anything else, above all what sorts below
    the dash that follows the speaker id, becomes `_`.

    >>> safe_id("Anna-Maria (2)")
    'Anna_Maria__2_'
    """
    return re.sub(r"[^\w.]", "_", text)


def read_infos(paths: Iterable[Path], num_jobs: int) -> Iterator[tuple[Path, AudioInfo]]:
    """Yield audio files and their headers, in order; bad ones are logged and left out.

    Paths are taken as headers are: a long list need not be held.

    Raises:
        ValueError: too many are bad; see `check_bad_items`. At the end, when all are known.
    """

    def read(path: Path) -> tuple[Path, AudioInfo | str]:
        try:
            return path, read_info(path)
        except (ValueError, OSError) as error:
            return path, str(error)

    bad: dict[Path, str] = {}
    total = 0
    for path, info in map_in_threads(read, paths, num_jobs):
        total += 1
        if isinstance(info, AudioInfo):
            yield path, info
        else:
            bad[path] = info
    check_bad_items(bad, total, "files", "mend or remove the files")


def write_corpus(
    options: argparse.Namespace,
    train: Iterable[Utterance],
    test: Iterable[Utterance],
    trial_lists: Mapping[str, Path | list[Trial]] | None = None,
    models: Mapping[str, list[str]] | None = None,
    closed_set: bool = False,
) -> None:
    """Check two sets, draw or import trials, and write `options.output`/{manifests,train,test}.

    Args:
        train, test: in any order; read once, and sorted on disk.
        trial_lists: by the names they get, or files in a form of `import_trials`; in place of
            drawn ones, as are those of `options.trial_lists`. Of trials whose utterances have
            been left out a few are dropped.
        models: utterances by the ids of models that such lists may name.
        closed_set: whether test speakers may train too.

    Raises:
        ValueError: the sets do not fit, see `check_sets`, the test set allows no trials, or a
            list does not fit it.
    """
    for name in ("corpus_dir", "train_dir", "test_dir"):
        check_source(options.output, getattr(options, name, None))
    with sorted_sets(options.output, train, test) as (train_set, test_set):
        check_sets(options.output, train_set, test_set, closed_set)
        utt2spk = {item.id: item.speaker for item in test_set}
        lists, known = gather_lists(options, utt2spk, trial_lists or {}, models or {})
        write_sets(options.output, train_set, test_set, lists, known)
    write_table(options.output / "stage_0_options", describe_options(options))


def describe_options(options: argparse.Namespace) -> dict[str, str]:
    """The options that make a corpus what it is, as words; those not given are left out."""
    words = {
        name: " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in vars(options).items()
        if name not in ("output", "nj") and value is not None and value is not False
    }
    return {name: value for name, value in words.items() if value}


@contextmanager
def sorted_sets(
    output: Path, train: Iterable[Utterance], test: Iterable[Utterance]
) -> Iterator[tuple[SortedUtterances, SortedUtterances]]:
    """Two sets in the order of their ids, in files below `output` for as long as the block runs."""
    with scratch_directory(output / "sorting.partial") as folder:
        yield SortedUtterances(folder / "train", train), SortedUtterances(folder / "test", test)


def write_sets(
    output: Path,
    train: Iterable[Utterance],
    test: Iterable[Utterance],
    trial_lists: dict[str, list[Trial]],
    models: dict[str, list[str]],
) -> None:
    """Write `output`/{manifests,train,test} of sets that `check_sets` has passed.

    Args:
        train, test: in the order of their ids; the same at every iteration.
        trial_lists: by file name. Others in `output`/test, which a user has put there, stay, and
            so do their models.
        models: utterances by the ids of models.

    Raises:
        ValueError: a list of the user's names what is not in the test set.
    """
    utt2spk = {item.id: item.speaker for item in test}
    lists, models = add_own_lists(output / "test", utt2spk, trial_lists, models)
    for copies in ("train_augmented", "train_copies"):  # of what is replaced now
        shutil.rmtree(output / copies, ignore_errors=True)
    with (
        replacing_directory(output / "manifests") as manifests,
        replacing_directory(output / "train") as partial_train,
        replacing_directory(output / "test") as partial_test,
    ):
        for partial, utterances in ((partial_train, train), (partial_test, test)):
            write_data_dir(partial, utterances)
            validate_data_dir(partial)
        write_lists(partial_test, lists, models, trial_lists)
        for name, utterances in (("train", train), ("test", test)):
            write_manifests(output / name, utterances, manifests)
    for name, utterances in (("train", train), ("test", test)):
        _log_size(output / name, utterances)
    for file_name, trials in lists.items():
        num_targets = sum(trial.target for trial in trials)
        logging.info(
            "%s: %d target and %d nontarget trials",
            output / "test" / file_name, num_targets, len(trials) - num_targets,
        )  # fmt: skip


def _log_size(data_dir: Path, utterances: Iterable[Utterance]) -> None:
    count, seconds, speakers = 0, 0.0, set()
    for item in utterances:
        count += 1
        seconds += item.duration
        speakers.add(item.speaker)
    logging.info(
        "%s: %d utterances of %d speakers, %.2f h", data_dir, count, len(speakers), seconds / 3600
    )
