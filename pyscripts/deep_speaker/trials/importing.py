"""Imported trial lists, in any published form, with the ids of a test set."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.files import read_utf8
from deep_speaker.trials.lists import Trial, read_trials

IS_TARGET = {"target": True, "1": True, "nontarget": False, "0": False}  # by published labels


def read_known_trials(
    path: Path, utt2spk: Mapping[str, str], models: Collection[str] = ()
) -> list[Trial]:
    """Read a trial list of a test set, which may name utterances, speakers and models.

    Raises:
        ValueError: as `read_trials`, or a name is none of those.
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
    """Keep the trials whose names a test set knows; log and leave out a few others.

    Raises:
        ValueError: too many names are unknown, see `check_bad_items`, or a kind of trial is
            missing.
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
    """Read a trial list in any published form, and replace its names by the ids of a test set.

    The label, target or nontarget, 1 or 0, comes first in all lines or last in all:
    `enroll test target` (Kaldi), `1 enroll.wav test.wav` (voxceleb_trainer, VoxCeleb itself),
    `enroll.wav test.wav target` (WeSpeaker), `enroll test.wav 1` (CN-Celeb).

    A name is the id of an utterance, a speaker or a model; or a path whose last folders and stem,
    joined by dashes, are the id of an utterance. Empty lines are skipped. A trial that comes twice
    is kept twice, so that error rates are those of the list as published.

    Raises:
        ValueError: the file is missing or without trials, a line is of another form, or too many
            names are not in the test set, see `keep_known`.
    """
    enroll, test, labels = _read_columns(path)
    known = {*utt2spk.values(), *models}
    names = {*enroll, *test}
    ids = {name: name if name in known else find_id(name, utt2spk, known) for name in names}
    columns = map(ids.get, enroll), map(ids.get, test), map(IS_TARGET.get, labels)
    trials = list(map(Trial._make, zip(*columns, strict=True)))
    return keep_known(str(path), trials, utt2spk, models)


def _read_columns(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Read the enrolled names, test names and labels of a list; labels may come first or last."""
    if not path.is_file():
        raise ValueError(f"{path}: no such trial list")
    fields: list[str] = []  # flat: half a million lists of three take seconds
    numbers = []
    for number, line in enumerate(read_utf8(path).split("\n"), 1):
        row = line.split()
        if len(row) not in (0, 3):
            raise _form_error(path, number, row)
        if row:
            numbers.append(number)
            fields += row
    if not fields:
        raise ValueError(f"{path}: no trials")
    columns = fields[0::3], fields[1::3], fields[2::3]
    first, last = (sum(map(IS_TARGET.__contains__, columns[i])) for i in (0, 2))
    if first > last:  # where both could be labels, the last are
        columns = columns[1], columns[2], columns[0]
    for i, label in enumerate(columns[2]):
        if label not in IS_TARGET:
            raise _form_error(path, numbers[i], fields[3 * i : 3 * i + 3])
    return columns


def _form_error(path: Path, number: int, row: Sequence[str]) -> ValueError:
    return ValueError(
        f"{path}, line {number}: expected 'enroll test label' or, in all lines, 'label enroll test'"
        f", with label target, nontarget, 1 or 0, got {' '.join(row)!r}"
    )


def find_id(name: str, utt2spk: Mapping[str, str], speakers: Collection[str]) -> str:
    """Return the utterance that the last parts of a path make, as many as fit; else the path.

    The folder before them may not be another speaker's.

    >>> find_id("wav/id10270/x6uYq/00001.wav", {"id10270-x6uYq-00001": "id10270"}, ["id10270"])
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
