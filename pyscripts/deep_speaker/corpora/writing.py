"""The end of every local/prepare_<corpus>.py: manifests, data directories and trials (stage 0)."""

import argparse
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deep_speaker.corpora.checks import check_no_train, check_sets, check_source
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.corpora.options import describe_options
from deep_speaker.corpora.sorted_utterances import SortedUtterances
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import write_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.system.files import replacing_directory, scratch_directory
from deep_speaker.system.locks import locked
from deep_speaker.trials.gathering import add_own_lists, gather_lists, write_lists
from deep_speaker.trials.lists import Trial
from deep_speaker.validation.data_dirs import validate_data_dir


def write_corpus(
    options: argparse.Namespace,
    train: Iterable[Utterance] | None,
    test: Iterable[Utterance],
    trial_lists: Mapping[str, Path | list[Trial]] | None = None,
    models: Mapping[str, list[str]] | None = None,
    closed_set: bool = False,
) -> None:
    """Check two sets, draw or import trials, and write `options.output`/{manifests,train,test}.

    Args:
        train, test: in any order; read once, and sorted on disk. Without `train` there is a test
            set alone, for weights that are only judged, or only score: its trials may all be
            targets or all nontargets.
        trial_lists: by the names they get, or files in a form of `import_trials`. They and those
            of `options.trial_lists` replace drawn lists. A few trials are left out if their
            utterances are.
        models: utterances by the ids of models that such lists may name.
        closed_set: test speakers may train too.

    Raises:
        ValueError: the sets do not fit, see `check_sets`, the test set allows no trials, a list
            does not fit it, or a test set alone would stand beside training speakers of earlier.
    """
    if train is None:
        check_no_train(options.output)
    for name in ("corpus_dir", "train_dir", "test_dir"):
        check_source(options.output, getattr(options, name, None))
    with (
        locked(options.output),
        sorted_sets(options.output, train, test) as (train_set, test_set),
    ):
        own_trials = bool(trial_lists or options.trial_lists)
        check_sets(options.output, train_set, test_set, closed_set, own_trials)
        utt2spk = {item.id: item.speaker for item in test_set}
        lists, known = gather_lists(
            options, utt2spk, trial_lists or {}, models or {}, one_kind=train is None
        )
        write_sets(options.output, train_set, test_set, lists, known)
        write_table(options.output / "stage_0_options", describe_options(options))


@contextmanager
def sorted_sets(
    output: Path, train: Iterable[Utterance] | None, test: Iterable[Utterance]
) -> Iterator[tuple[SortedUtterances | None, SortedUtterances]]:
    """Yield two sets in the order of their ids, in files below `output` that go after the block."""
    with scratch_directory(output / "sorting.partial") as folder:
        train_set = None if train is None else SortedUtterances(folder / "train", train)
        yield train_set, SortedUtterances(folder / "test", test)


def write_sets(
    output: Path,
    train: Iterable[Utterance] | None,
    test: Iterable[Utterance],
    trial_lists: dict[str, list[Trial]],
    models: dict[str, list[str]],
) -> None:
    """Write `output`/{manifests,train,test} of sets that `check_sets` has passed.

    Args:
        train, test: in the order of their ids; the same at every iteration. Without `train` there
            is a test set alone.
        trial_lists: by file name. Lists that a user has put into `output`/test stay, and so do
            their models.
        models: utterances by the ids of models.

    Raises:
        ValueError: a list of the user's has a name that is not in the test set.
    """
    sets = {"test": test} if train is None else {"train": train, "test": test}
    utt2spk = {item.id: item.speaker for item in test}
    lists, models = add_own_lists(output / "test", utt2spk, trial_lists, models)
    for copies in ("train_augmented", "train_copies"):  # of what is replaced now
        shutil.rmtree(output / copies, ignore_errors=True)
    with ExitStack() as stack:
        manifests = stack.enter_context(replacing_directory(output / "manifests"))
        partials = {name: stack.enter_context(replacing_directory(output / name)) for name in sets}
        for name, utterances in sets.items():
            write_data_dir(partials[name], utterances)
            validate_data_dir(partials[name])
            write_manifests(output / name, utterances, manifests)
        write_lists(partials["test"], lists, models, trial_lists)
    for name, utterances in sets.items():
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
