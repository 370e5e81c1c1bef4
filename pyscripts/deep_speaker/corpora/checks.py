"""Checks of two sets, before one may train and the other test (stage 0)."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import file_of_entry

REPLACED = ("train", "test", "manifests")


def check_sets(
    output: Path,
    train: Iterable[Utterance] | None,
    test: Iterable[Utterance],
    closed_set: bool = False,
) -> None:
    """Check that two sets may train and test, and lie outside the folders that get their tables.

    Args:
        train, test: in the order of their ids; the same at every iteration. Without `train` there
            is a test set alone.
        closed_set: test speakers may train too.

    Raises:
        ValueError: a set is empty, an id comes twice, ids and speakers do not sort alike, a
            speaker is in both sets, or the audio of a training speaker is another speaker's too;
            or, of a closed set, audio trains and tests.
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
    _check_audio(output, () if train is None else train, test, closed_set)


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
    """Check the ids of a set, and that utterances sorted by id are sorted by speaker too."""
    before: Utterance | None = None
    for item in utterances:
        if not item.speaker or len(item.speaker.split()) != 1:
            raise ValueError(
                f"{item.id!r}: speaker id {item.speaker!r} is empty or has a space: rename it"
            )
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


def _check_audio(
    output: Path, train: Iterable[Utterance], test: Iterable[Utterance], closed_set: bool
) -> None:
    """Refuse audio in the folders that are replaced, or of a training speaker and another one.

    Of a closed set, also refuse audio that both trains and tests. Two test speakers may share
    audio: corpora have trials of their own. Audio is compared by hashes, 16 bytes an utterance;
    only utterances that share one are compared in full.
    """
    trained, tested = _hash_audio(output, train), _hash_audio(output, test)
    hashes = np.concatenate([trained, tested])
    hashes.sort(order=("audio", "speaker"))
    before, after = hashes[:-1], hashes[1:]
    differs = (before["audio"] == after["audio"]) & (before["speaker"] != after["speaker"])
    suspects = set(after["audio"][differs].tolist())
    if closed_set:
        suspects |= set(np.intersect1d(trained["audio"], tested["audio"]).tolist())
    owners: dict[str, list[Utterance]] = {}
    for utterances, trains in ((train, True), (test, False)) if suspects else ():
        for item in utterances:
            audio = _audio(item)
            if hash(audio) not in suspects:
                continue
            for owner in owners.get(audio, ()):
                same = owner.speaker == item.speaker and (trains or not closed_set)
                if not same and _overlap(owner, item):
                    raise ValueError(
                        f"{audio} is in the training set as {owner.id!r}, and is {item.id!r} too: "
                        "remove one of the two"
                    )
            if trains:
                owners.setdefault(audio, []).append(item)


def _hash_audio(output: Path, utterances: Iterable[Utterance]) -> np.ndarray:
    places = "|".join(re.escape(str((output / name).resolve())) for name in REPLACED)
    replaced = re.compile(rf"({places})([/\s'\"|;&]|$)")  # in commands too

    def hashes() -> Iterator[tuple[int, int]]:
        for item in utterances:
            audio = _audio(item)
            if replaced.search(audio):
                raise ValueError(
                    f"{audio} lies in {output}, where stage 0 replaces {', '.join(REPLACED)}: move "
                    "the audio"
                )
            yield hash(audio), hash(item.speaker)

    return np.fromiter(hashes(), [("audio", "i8"), ("speaker", "i8")])


def _overlap(first: Utterance, second: Utterance) -> bool:
    """Tell whether utterances of one recording have some of it in common."""
    if first.segment is None or second.segment is None:
        return True
    start = max(first.segment.start, second.segment.start)
    return start < min(first.segment.end, second.segment.end)


def _audio(item: Utterance) -> str:
    """Return the same text for the same recording: its file without links, or its command.

    Two channels of a file are two recordings: the two sides of a call, say.
    """
    path = file_of_entry(item.entry)
    if path is None:
        return item.entry
    path = _resolve(path.parent) / path.name
    whole = str(path.resolve() if path.is_symlink() else path)
    return f"{whole} (channel {item.channel + 1})" if item.channel else whole


@lru_cache(maxsize=1024)  # files of a folder come together
def _resolve(folder: Path) -> Path:
    return folder.resolve()
