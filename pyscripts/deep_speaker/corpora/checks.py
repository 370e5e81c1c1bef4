"""Checks of two sets, before one may train and the other test (stage 0)."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from deep_speaker.corpora.shared_audio import check_shared_audio
from deep_speaker.kaldi.utterances import Utterance, check_id

REPLACED = ("train", "test", "manifests")
UNWRITABLE = re.compile("[\r\n\ud800-\udfff]")  # in wav.scp: ends of lines, and what is no UTF-8


def check_sets(
    output: Path,
    train: Iterable[Utterance] | None,
    test: Iterable[Utterance],
    closed_set: bool = False,
    own_trials: bool = False,
) -> None:
    """Check that two sets may train and test, and lie outside the folders that get their tables.

    Args:
        train, test: in the order of their ids; the same at every iteration. Without `train` there
            is a test set alone.
        closed_set: test speakers may train too.
        own_trials: the test set has trials of its own, see `check_shared_audio`.

    Raises:
        ValueError: a set is empty, an id comes twice, an entry cannot stand in wav.scp, ids and
            speakers do not sort alike, a speaker is in both sets, or audio is shared as
            `check_shared_audio` refuses it.
    """
    speakers: dict[str, set[str]] = {"train": set()}
    for name, utterances in (("train", train), ("test", test)):
        if utterances is not None:
            _check_ids(name, utterances)
            speakers[name] = {item.speaker for item in utterances}
    shared = speakers["train"] & speakers["test"]
    if shared and not closed_set:
        raise ValueError(
            f"{len(shared)} speakers are in both train and test, first {min(shared)!r}: "
            "verification is tested on unseen speakers, so remove or rename them in one"
        )
    check_shared_audio(() if train is None else train, test, own_trials, _make_place_check(output))


def check_no_train(output: Path) -> None:
    """Refuse a test set alone beside training speakers of earlier: no one asked to remove them.

    Raises:
        ValueError: `output`/train is there.
    """
    if (output / "train").exists():
        raise ValueError(
            f"{output}/train is there from an earlier stage 0, and --test-dir alone prepares no "
            f"training speakers: choose another --name, or remove {output}/train"
        )


def _check_ids(name: str, utterances: Iterable[Utterance]) -> None:
    """Check the ids and paths of a set, and that ids and speakers sort alike."""
    before: Utterance | None = None
    for item in utterances:
        unwritable = UNWRITABLE.search(item.entry)
        if unwritable:
            raise ValueError(
                f"{item.entry!r}, of {item.id!r}: a line of wav.scp cannot hold "
                f"{unwritable[0]!r}: rename the file or folder"
            )
        check_id(item.speaker, f"{item.id!r}: speaker id")
        if before and before.id == item.id:
            raise ValueError(
                f"utterance id {item.id!r} comes twice, from {before.entry} and {item.entry}: "
                "rename or remove one"
            )
        if before and before.speaker > item.speaker:
            raise ValueError(
                f"utterance {item.id!r} of {item.speaker!r} sorts after {before.id!r} of "
                f"{before.speaker!r}: Kaldi wants both in one order: make the speaker id and a "
                "dash the prefix of every utterance id"
            )
        before = item
    if before is None:
        raise ValueError(f"the {name} set has no utterances")


def check_source(output: Path, folder: Path | None) -> None:
    """Refuse to read a corpus from the folder that gets its tables: stage 0 would replace it.

    Raises:
        ValueError: `folder` is `output`, or lies in it.
    """
    if folder and output.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise ValueError(f"{folder} lies in {output}, which stage 0 writes: choose another --name")


def _make_place_check(output: Path) -> Callable[[str], None]:
    """Make a function that refuses audio in the folders that stage 0 replaces."""
    places = "|".join(re.escape(str((output / name).resolve())) for name in REPLACED)
    replaced = re.compile(rf"({places})([/\s'\"|;&]|$)")  # in commands too

    def check(audio: str) -> None:
        if replaced.search(audio):
            raise ValueError(
                f"{audio} lies in {output}, where stage 0 replaces {', '.join(REPLACED)}: move the "
                "audio"
            )

    return check
