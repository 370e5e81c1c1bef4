"""All trial lists of a test set: published ones, those drawn here, and the user's own."""

import argparse
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from deep_speaker.system.files import replacing_file
from deep_speaker.trials.importing import import_trials, keep_known, read_known_trials
from deep_speaker.trials.lists import Trial, check_list_name, list_trial_files, write_trials
from deep_speaker.trials.models import read_models, write_models
from deep_speaker.trials.protocols import draw_lists

# Names the lists that stage 0 has written to a test directory; others there are the user's.
MADE_LISTS = "stage_0_lists"
Lists = dict[str, list[Trial]]
Models = dict[str, list[str]]


def gather_lists(
    options: argparse.Namespace,
    utt2spk: Mapping[str, str],
    given: Mapping[str, Path | list[Trial]],
    models: Mapping[str, list[str]],
    one_kind: bool = False,
) -> tuple[Lists, Models]:
    """Return the given lists, or drawn ones in their place, and those of further protocols.

    Args:
        given: lists, or files of them, by the names they get; `options.trial_lists` adds others.
        models: utterances by the ids of models that given lists name.
        one_kind: whether drawn lists may lack targets or nontargets, see `draw_lists`.

    Raises:
        ValueError: two lists would have one name, or a list or model does not fit the test set.
    """
    sources = dict(given)
    for path in map(check_list_name, options.trial_lists):
        name = f"trials_{path.stem.removeprefix('trials_')}" if path.stem != "trials" else "trials"
        if name in sources:
            raise ValueError(f"{path} and {sources[name]} both become {name}: rename one")
        sources[name] = path
    known_models = _keep_known_members(models, utt2spk)
    lists = {
        name: import_trials(source, utt2spk, known_models)
        if isinstance(source, Path)
        else keep_known(name, source, utt2spk, known_models)
        for name, source in sources.items()
    }
    for name, trials in lists.items():
        _warn_about_enrolled_tests(name, trials, utt2spk, known_models)
    rng = np.random.default_rng(options.data_seed)
    drawn, drawn_models = draw_lists(utt2spk, options, rng, not sources, one_kind)
    return lists | drawn, known_models | drawn_models


def _keep_known_members(models: Mapping[str, list[str]], utt2spk: Mapping[str, str]) -> Models:
    """Drop utterances that are not in the test set from models, and log how many."""
    known = {key: [item for item in items if item in utt2spk] for key, items in models.items()}
    lost = sum(len(models[key]) - len(items) for key, items in known.items())
    empty = [key for key, items in known.items() if not items]
    taken = sorted(known.keys() & utt2spk.keys())
    if taken:
        raise ValueError(f"model {taken[0]!r} has the id of an utterance: rename it")
    if empty:
        raise ValueError(
            f"{len(empty)} of {len(known)} models have no utterance in the test set, first "
            f"{empty[0]!r}: mend or remove them"
        )
    if lost:
        logging.warning("%d utterances of models are not in the test set: left out", lost)
    return known


def _warn_about_enrolled_tests(
    name: str,
    trials: Iterable[Trial],
    utt2spk: Mapping[str, str],
    models: Mapping[str, list[str]],
) -> None:
    """Warn about trials that test an utterance by which they enrol."""
    count = sum(
        test in models[enroll] if enroll in models else enroll in (test, utt2spk.get(test))
        for enroll, test, _ in trials
    )
    if count:
        logging.warning("%s: %d trials test an utterance by which they enrol", name, count)


def add_own_lists(
    folder: Path, utt2spk: Mapping[str, str], lists: Lists, models: Models
) -> tuple[Lists, Models]:
    """Add the user's own lists and models of a test directory that is about to be replaced.

    Raises:
        ValueError: a list of the user's has a name that is not in the test set.
    """
    listed = folder / MADE_LISTS
    made = listed.read_text("utf-8").split("\n") if listed.is_file() else []
    own = [path for path in list_trial_files(folder) if path.name not in {*lists, *made}]
    known_models = read_models(folder) | models
    own_lists = {path.name: read_known_trials(path, utt2spk, known_models) for path in own}
    named = {trial.enroll for trials in own_lists.values() for trial in trials}
    kept = {key: items for key, items in known_models.items() if key in named or key in models}
    return lists | own_lists, _keep_known_members(kept, utt2spk)


def write_lists(folder: Path, lists: Lists, models: Models, made: Iterable[str]) -> None:
    """Write lists and models, and the names of the lists that stage 0 has made."""
    for name, trials in lists.items():
        write_trials(folder / name, trials)
    if models:
        write_models(folder, models)
    with replacing_file(folder / MADE_LISTS) as file:
        file.writelines(f"{name}\n" for name in sorted(made))
