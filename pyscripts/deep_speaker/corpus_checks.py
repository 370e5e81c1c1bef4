"""What two sets must be before one may train and the other test (stage 0)."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from deep_speaker.audio import file_of_entry
from deep_speaker.data_dir import Utterance


def check_sets(
    output: Path, train: Iterable[Utterance], test: Iterable[Utterance], closed_set: bool = False
) -> None:
    """Check that two sets may train and test, and lie outside the folders that get their tables.

    Args:
        train, test: in the order of their ids; the same at every iteration.
        closed_set: whether test speakers may train too.

    Raises:
        ValueError: a set is empty, an id comes twice, ids and speakers do not sort alike, a
            speaker is in both sets, or the audio of a training speaker is another's too.
    """
    speakers: dict[str, set[str]] = {}
    for name, utterances in (("train", train), ("test", test)):
        _check_ids(name, utterances)
        speakers[name] = {item.speaker for item in utterances}
    shared = speakers["train"] & speakers["test"]
    if shared and not closed_set:
        raise ValueError(
            f"{len(shared)} speakers are in both train and test, first {min(shared)!r}: "
            "verification is tested on unseen speakers, so remove or rename them in one"
        )
    _check_audio(output, train, test)


def _check_ids(name: str, utterances: Iterable[Utterance]) -> None:
    before: Utterance | None = None
    for item in utterances:
        if not item.speaker or len(item.speaker.split()) != 1:
            raise ValueError(f"{item.id!r}: speaker id {item.speaker!r} is empty or holds a space")
        if before and before.id == item.id:
            raise ValueError(
                f"utterance id {item.id!r} comes twice, from {before.entry} and {item.entry}: "
                "rename or remove one"
            )
        if before and before.speaker > item.speaker:
            raise ValueError(
                f"utterance {item.id!r} of {item.speaker!r} sorts after {before.id!r} of "
                f"{before.speaker!r}: Kaldi wants both in one order, so make the speaker id and a "
                "dash the prefix of every utterance id"
            )
        before = item
    if before is None:
        raise ValueError(f"the {name} set has no utterances")


def _check_audio(output: Path, train: Iterable[Utterance], test: Iterable[Utterance]) -> None:
    """Refuse audio in the folders that are replaced, and of a training speaker that is another's.

    Corpora may share test files: each has trials of its own. Hashes stand for the files, 16 bytes
    an utterance; only what shares one is compared in full.
    """
    hashes = np.concatenate([_hash_audio(output, train), _hash_audio(output, test)])
    hashes.sort(order=("audio", "speaker"))
    before, after = hashes[:-1], hashes[1:]
    differs = (before["audio"] == after["audio"]) & (before["speaker"] != after["speaker"])
    suspects = set(after["audio"][differs].tolist())
    owners: dict[str, Utterance] = {}
    for utterances, trains in ((train, True), (test, False)) if suspects else ():
        for item in utterances:
            audio = _audio(item)
            if hash(audio) not in suspects:
                continue
            owner = owners.setdefault(audio, item) if trains else owners.get(audio, item)
            if owner.speaker != item.speaker:
                raise ValueError(
                    f"{audio} is in the training set, as {owner.id!r}, and once more as "
                    f"{item.id!r}: remove one of the two speakers"
                )


def _hash_audio(output: Path, utterances: Iterable[Utterance]) -> np.ndarray:
    replaced = tuple(f"{(output / name).resolve()}/" for name in ("train", "test"))

    def hashes() -> Iterator[tuple[int, int]]:
        for item in utterances:
            audio = _audio(item)
            if audio.startswith(replaced):
                raise ValueError(
                    f"{audio} lies in {output}, where stage 0 replaces train and test: move the "
                    "audio elsewhere"
                )
            yield hash(audio), hash(item.speaker)

    return np.fromiter(hashes(), [("audio", "i8"), ("speaker", "i8")])


def _audio(item: Utterance) -> str:
    """What is the same for the same audio: file without links, or command, and segment."""
    path = file_of_entry(item.entry)
    audio = item.entry
    if path:
        path = _resolve(path.parent) / path.name
        audio = str(path.resolve() if path.is_symlink() else path)
    return f"{audio} {item.segment.start} {item.segment.end}" if item.segment else audio


@lru_cache(maxsize=1024)  # files of a folder come together
def _resolve(folder: Path) -> Path:
    return folder.resolve()
