"""Trial lists in Kaldi's form, `enroll test target|nontarget`, and the models that they enrol."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deep_speaker.bad_items import check_bad_items
from deep_speaker.files import read_utf8, replacing_file
from deep_speaker.tables import missing_input, read_optional_table, write_table
from deep_speaker.trial_blocks import iterate_trials

# How the files of lists of these protocols end.
ONE_PLUS_99 = "_one_plus_99"
IDENTIFICATION = "_identification"
# Enrolment models of several utterances, `model utterance...`.
MODELS = "enroll_spk2utt"
LABELS = {"target": True, "1": True, "nontarget": False, "0": False}


class Trial(NamedTuple):
    enroll: str
    test: str
    target: bool


def find_trial_lists(folder: Path) -> dict[str, Path]:
    """The trial lists of a test directory, by their names in the results.

    The file `trials` is the list `trials`, a file `trials_<name>` the list `<name>`. A list comes
    just before its partner of the 1 + 99 protocol.

    Raises:
        ValueError: there is none, or two files have one name.
    """
    lists: dict[str, Path] = {}
    for path in list_trial_files(folder):
        name = path.name.removeprefix("trials_")
        if name in lists:
            raise ValueError(
                f"{lists[name]} and {path.name} would both be {name!r} in the results: rename one"
            )
        lists[name] = path
    if not lists:
        raise ValueError(missing_input(folder / "trials", 0))
    return lists


def list_trial_files(folder: Path) -> list[Path]:
    """The files `trials` and `trials_<name>` of a folder, without those still being written."""
    found = [
        path
        for path in [folder / "trials", *folder.glob("trials_*")]
        if path.is_file() and path.suffix != ".partial"
    ]
    return sorted(found, key=lambda path: (path.name.removesuffix(ONE_PLUS_99), path.name))


def base_list(name: str) -> str:
    """The list to which a list of the 1 + 99 protocol belongs; any other is its own.

    >>> base_list("one_plus_99"), base_list("hard_one_plus_99"), base_list("hard")
    ('trials', 'hard', 'hard')
    """
    return f"_{name}".removesuffix(ONE_PLUS_99).removeprefix("_") or "trials"


def is_identification(name: str) -> bool:
    """Whether each test of a list (`identification`, `ar_identification`) meets all models."""
    return f"_{name}".endswith(IDENTIFICATION)


def read_trials(path: Path) -> list[Trial]:
    """Read a trial list.

    Raises:
        ValueError: the file is missing or empty, or a line is not `enroll test target|nontarget`.
    """
    return [
        Trial(*row)
        for block in iterate_trials(path)
        for row in zip(block.enroll, block.test, block.is_target.tolist(), strict=True)
    ]


def read_known_trials(
    path: Path, utt2spk: Mapping[str, str], models: Collection[str] = ()
) -> list[Trial]:
    """Read a trial list of a test set, which may name utterances, speakers and models.

    Raises:
        ValueError: as `read_trials`, or an id is of none of them.
    """
    trials = read_trials(path)
    named = {key for trial in trials for key in trial[:2]}
    unknown = named - utt2spk.keys() - set(utt2spk.values()) - set(models)
    if unknown:
        raise ValueError(
            f"{path}: {len(unknown)} of {len(named)} ids are not in the test set, first "
            f"{min(unknown)!r}: mend or remove this list"
        )
    _check_kinds(str(path), trials)
    return trials


def keep_known(
    title: str,
    trials: Sequence[Trial],
    utt2spk: Mapping[str, str],
    models: Collection[str] = (),
) -> list[Trial]:
    """The trials of what a test set knows; a few others are logged and left out.

    Raises:
        ValueError: too many ids are unknown, see `check_bad_items`, or a kind of trial is missing.
    """
    named = {key for trial in trials for key in trial[:2]}
    unknown = sorted(named - utt2spk.keys() - set(utt2spk.values()) - set(models))
    remedy = f"expected its ids, such as {min(utt2spk)!r}, or paths that end in their parts"
    bad = dict.fromkeys(unknown, "not in the test set")
    check_bad_items(bad, len(named), f"names in {title}", remedy)
    kept = [trial for trial in trials if trial.enroll not in bad and trial.test not in bad]
    if bad:
        logging.warning("%s: %d of %d trials left out", title, len(trials) - len(kept), len(trials))
    _check_kinds(title, kept)
    return kept


def _check_kinds(title: str, trials: Iterable[Trial]) -> None:
    kinds = {trial.target for trial in trials}
    if len(kinds) < 2:
        raise ValueError(f"{title}: target and nontarget trials are both needed")


def import_trials(
    path: Path, utt2spk: Mapping[str, str], models: Collection[str] = ()
) -> list[Trial]:
    """Read a trial list in any published form, of names that a test set knows.

    The label, target or nontarget, 1 or 0, stands first in all lines or last in all:
    `enroll test target` (Kaldi), `1 enroll.wav test.wav` (voxceleb_trainer, VoxCeleb itself),
    `enroll.wav test.wav target` (WeSpeaker), `enroll test.wav 1` (CN-Celeb).

    A name is the id of an utterance, a speaker or a model; or a path whose last folders and stem,
    joined by dashes, are the id of an utterance. Empty lines are skipped. A trial that comes twice
    is kept twice, so that error rates are those of the list as published.

    Raises:
        ValueError: the file is missing or without trials, a line is of another form, or names
            are not in the test set, see `keep_known`.
    """
    enroll, test, labels = _read_columns(path)
    known = {*utt2spk.values(), *models}
    names = {*enroll, *test}
    ids = {name: name if name in known else _find_id(name, utt2spk, known) for name in names}
    columns = map(ids.get, enroll), map(ids.get, test), map(LABELS.get, labels)
    trials = list(map(Trial._make, zip(*columns, strict=True)))
    return keep_known(str(path), trials, utt2spk, models)


def _read_columns(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Enrol names, test names and labels of a list, whose label may stand first or last."""
    if not path.is_file():
        raise ValueError(f"{path}: no such trial list")
    fields: list[str] = []  # flat: half a million lists of three take seconds
    numbers = []
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        row = line.split()
        if len(row) not in (0, 3):
            raise ValueError(_tell_form(path, number, row))
        if row:
            numbers.append(number)
            fields += row
    if not fields:
        raise ValueError(f"{path}: no trials")
    columns = fields[0::3], fields[1::3], fields[2::3]
    first, last = (sum(map(LABELS.__contains__, columns[i])) for i in (0, 2))
    if first > last:  # where both could be labels, the last are
        columns = columns[1], columns[2], columns[0]
    for i, label in enumerate(columns[2]):
        if label not in LABELS:
            raise ValueError(_tell_form(path, numbers[i], fields[3 * i : 3 * i + 3]))
    return columns


def _tell_form(path: Path, number: int, row: Sequence[str]) -> str:
    return (
        f"{path}, line {number}: expected 'enroll test label' or, in all lines, 'label enroll test'"
        f", with label target, nontarget, 1 or 0, got {' '.join(row)!r}"
    )


def _find_id(name: str, utt2spk: Mapping[str, str], speakers: Collection[str]) -> str:
    """The utterance that the last parts of a path make, as many as possible; else the name itself.

    The folder before them may not be another speaker's.

    >>> _find_id("wav/id10270/x6uYq/00001.wav", {"id10270-x6uYq-00001": "id10270"}, ["id10270"])
    'id10270-x6uYq-00001'
    """
    stem, _, suffix = name.rpartition(".")
    for path in (name, "" if "/" in suffix else stem):  # an id may hold dots
        parts = path.split("/")
        for i in range(len(parts)):
            key = "-".join(parts[i:])
            if key in utt2spk:
                folder = parts[i - 1] if i else utt2spk[key]
                return name if folder in speakers and folder != utt2spk[key] else key
    return name


def write_trials(path: Path, trials: Iterable[Trial]) -> None:
    with replacing_file(path) as file:
        for enroll, test, target in trials:
            file.write(f"{enroll} {test} {'target' if target else 'nontarget'}\n")


def read_models(folder: Path) -> dict[str, list[str]]:
    """The utterances of the enrolment models of a data directory; none where it has no models."""
    return {key: utts.split() for key, utts in read_optional_table(folder / MODELS).items()}


def write_models(folder: Path, models: Mapping[str, Iterable[str]]) -> None:
    write_table(folder / MODELS, {key: " ".join(utts) for key, utts in models.items()})


def remove_utterances(folder: Path, unwanted: set[str]) -> None:
    """Drop utterances from the models and trial lists of a data directory, if it has any.

    A model or speaker without utterances leaves the lists too; so do an anchor of the 1 + 99
    protocol without its positive, and a test of identification without its speaker's model.

    Raises:
        ValueError: a list would lose all its targets or nontargets; nothing is changed then.
    """
    models = read_models(folder)
    left = {key: [utt for utt in utts if utt not in unwanted] for key, utts in models.items()}
    speakers = read_optional_table(folder / "spk2utt").items()
    gone = {
        *unwanted,
        *(speaker for speaker, utterances in speakers if unwanted.issuperset(utterances.split())),
        *(model for model, utterances in left.items() if not utterances),
    }
    kept = {path: _without(path, gone) for path in list_trial_files(folder)}
    for path, trials in kept.items():
        write_trials(path, trials)
    if left != models:  # last: an interrupted run finds again which models are empty
        write_models(folder, {key: utterances for key, utterances in left.items() if utterances})


def _without(path: Path, unwanted: set[str]) -> list[Trial]:
    trials = read_trials(path)
    kept = [
        trial for trial in trials if trial.enroll not in unwanted and trial.test not in unwanted
    ]
    for ending, side in ((ONE_PLUS_99, 0), (IDENTIFICATION, 1)):
        if path.name.endswith(ending):
            found = {trial[side] for trial in kept if trial.target}
            kept = [trial for trial in kept if trial[side] in found]
    for kind, target in (("target", True), ("nontarget", False)):
        before, after = (sum(trial.target == target for trial in some) for some in (trials, kept))
        if before and not after:
            raise ValueError(
                f"{path}: all {before} {kind} trials name bad utterances, or anchors or tests that "
                f"lose their target to them: mend those listed in {path.parent / 'bad_utterances'} "
                "and run stage 0, or remove this list"
            )
    return kept
