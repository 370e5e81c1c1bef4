"""The utterances of a set in a file, sorted by id: corpora need not fit in memory."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from pathlib import Path

from deep_speaker.kaldi.utterances import Segment, Utterance, check_id
from deep_speaker.kaldi.wav_entries import AudioInfo
from deep_speaker.system.sorting import sort_lines


class SortedUtterances:
    """Utterances in the order of their ids, read from a file at every iteration.

    Args:
        path: the file to write, which the caller removes.
        utterances: in any order, read once.

    Raises:
        ValueError: a table cannot hold an id, see `check_id`.
    """

    def __init__(self, path: Path, utterances: Iterable[Utterance]) -> None:
        self._path = path
        with path.open("w", encoding="utf-8") as file:
            for item in utterances:
                check_id(item.id, "utterance id")  # the tab behind it must sort below its letters
                file.write(f"{item.id}\t{json.dumps(_values(item))}\n")
        sort_lines(path)

    def __iter__(self) -> Iterator[Utterance]:
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                key, _, values = line.partition("\t")
                speaker, entry, info, sex, text, segment = json.loads(values)
                yield Utterance(
                    key,
                    speaker,
                    entry,
                    AudioInfo(*info),
                    sex,
                    text,
                    Segment(*segment) if segment else None,
                )


def _values(item: Utterance) -> tuple:
    """Return all but the id; `astuple` of all of it takes ten times as long."""
    segment = astuple(item.segment) if item.segment else None
    info = item.info
    form = (info.format, info.subtype, info.plain)
    header = (info.sampling_rate, info.num_samples, info.num_channels, *form)
    return item.speaker, item.entry, header, item.sex, item.text, segment
