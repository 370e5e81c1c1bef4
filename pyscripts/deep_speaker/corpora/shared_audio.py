"""Speech of two speakers in one recording: meetings and calls, or mistakes (stage 0)."""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import archive_of_entry, file_of_entry

SAME_TIME = 5e-4  # seconds by which equal times may differ: sums and roundings of them


class Span(NamedTuple):
    """The part of a recording that an utterance takes, in seconds."""

    start: float
    end: float
    trains: bool
    speaker: str
    id: str

    def describe(self) -> str:
        return f"{self.id!r} of {self.speaker!r} ({self.start:.2f} to {self.end:.2f} s)"


def check_shared_audio(
    train: Iterable[Utterance],
    test: Iterable[Utterance],
    own_trials: bool = False,
    check_name: Callable[[str], object] = str,
) -> None:
    """Refuse audio that both trains and tests, and the same audio under two speakers of a set.

    Two speakers of a set may overlap in part, as people do in meetings: that is counted. Audio is
    compared by hashes, 16 bytes an utterance; only recordings that several share are held.

    Args:
        own_trials: of the test set. Who speaks then follows from its lists, published ones name
            a recording by several ids, and its speakers may have the same audio. Trials drawn from
            the speakers' ids would call it that of different people.
        check_name: is called once with the name of each utterance's audio, and may refuse it.

    Raises:
        ValueError: with both ids and their times.
    """
    trained, tested = (_hash_audio(utterances, check_name) for utterances in (train, test))
    suspects = _find_suspects(trained, tested)
    spans: dict[str, list[Span]] = {}
    for utterances, trains in ((train, True), (test, False)) if suspects else ():
        for item in utterances:
            audio = _name_audio(item)
            if hash(audio) in suspects:
                spans.setdefault(audio, []).append(_make_span(item, trains))
    count = 0
    first = ""
    for audio, found in spans.items():
        for one, other in _iterate_overlaps(audio, found, own_trials):
            count += 1
            first = first or f"{one.describe()} and {other.describe()} in {audio}"
    if count:
        logging.info(
            "%d pairs of utterances of two speakers overlap, as in meetings: kept; first %s",
            count, first,
        )  # fmt: skip


def _find_suspects(trained: np.ndarray, tested: np.ndarray) -> set[int]:
    """Return the hashes of audio that several speakers, or both sets, share."""
    hashes = np.concatenate([trained, tested])
    hashes.sort(order=("audio", "speaker"))
    before, after = hashes[:-1], hashes[1:]
    differs = (before["audio"] == after["audio"]) & (before["speaker"] != after["speaker"])
    both = np.intersect1d(trained["audio"], tested["audio"])
    return {*after["audio"][differs].tolist(), *both.tolist()}


def _hash_audio(utterances: Iterable[Utterance], check_name: Callable[[str], object]) -> np.ndarray:
    def hashes() -> Iterator[tuple[int, int]]:
        for item in utterances:
            audio = _name_audio(item)
            check_name(audio)
            yield hash(audio), hash(item.speaker)

    return np.fromiter(hashes(), [("audio", "i8"), ("speaker", "i8")])


def _make_span(item: Utterance, trains: bool) -> Span:
    start, end = (item.segment.start, item.segment.end) if item.segment else (0, item.duration)
    return Span(start, end, trains, item.speaker, item.id)


def _iterate_overlaps(
    audio: str, spans: list[Span], own_trials: bool
) -> Iterator[tuple[Span, Span]]:
    """Yield the pairs of a recording that overlap and may; see `check_shared_audio`."""
    open_spans: list[Span] = []
    for span in sorted(spans):
        open_spans = [other for other in open_spans if other.end > span.start + SAME_TIME]
        for other in open_spans:
            if other.trains != span.trains:
                trained, tested = (other, span) if other.trains else (span, other)
                raise ValueError(
                    f"{audio} is in the training set as {trained.describe()}, and overlaps with "
                    f"{tested.describe()} of the test set: remove one of the two, or cut it"
                )
            if other.speaker == span.speaker:
                continue
            if _is_same(other, span) and (span.trains or not own_trials):
                raise ValueError(
                    f"{audio} is in the {'training' if span.trains else 'test'} set as "
                    f"{other.describe()}, and the same of it as {span.describe()}: remove one of "
                    "the two"
                )
            yield other, span
        open_spans.append(span)


def _is_same(first: Span, second: Span) -> bool:
    return max(abs(first.start - second.start), abs(first.end - second.end)) < SAME_TIME


def _name_audio(item: Utterance) -> str:
    """Return the same text for the same recording: its file and byte without links, or command.

    Two channels of a file are two recordings: the two sides of a call, say.
    """
    archived = archive_of_entry(item.entry)
    path = archived[0] if archived else file_of_entry(item.entry)
    if path is None:
        return item.entry
    path = _resolve(path.parent) / path.name
    path = path.resolve() if path.is_symlink() else path
    if archived:
        return f"{path}:{archived[1]}"
    return f"{path} (channel {item.channel + 1})" if item.channel else str(path)


@lru_cache(maxsize=1024)  # files of a folder come together
def _resolve(folder: Path) -> Path:
    return folder.resolve()
