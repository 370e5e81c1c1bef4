"""Lhotse manifests of any size: supervisions and their recordings, joined on disk.

Lhotse reads them, as it knows its formats of all versions, one item at a time; of an item only what
stage 0 uses is kept.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.cut import Cut
from lhotse.cut.data import DataCut
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from deep_speaker.system import command
from deep_speaker.system.sorting import sort_lines

# By kind, as in the names of files.
CLASSES = {
    "recordings": (RecordingSet, Recording),
    "supervisions": (SupervisionSet, SupervisionSegment),
    "cuts": (CutSet, Cut),
}
USABLE = ("file", "command")  # types of sources that can stand in wav.scp


class Source(NamedTuple):
    """The source of a recording's channel: the type by Lhotse's name, the duration in seconds.

    `channel` is which of the source's channels it is, from 0.
    """

    type: str
    entry: str
    duration: float
    sampling_rate: Annotated[int, Field(gt=0)]
    num_samples: Annotated[int, Field(gt=0)]
    num_channels: int
    channel: int


class Supervision(NamedTuple):
    """Speech of one speaker between two times of a recording, in seconds, on a channel of it."""

    id: str
    recording: str
    speaker: str
    start: float
    end: float
    gender: str | None
    text: str | None
    channel: int


# Lhotse itself takes values of any types.
FINITE = ConfigDict(allow_inf_nan=False)
CHECKS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind, config=FINITE) for kind in (Source, Supervision)
}


def read_part(part: dict[str, Path], scratch: Path) -> Iterator[tuple[Supervision, Source]]:
    """Read the supervisions of a part, each with its recording's source.

    Args:
        part: files by kind: `recordings` and `supervisions`, or `cuts`.
        scratch: a file to write, removed at the end.

    Raises:
        ValueError: a file is no manifest, holds items that cannot be used, lacks a recording or
            has one twice.
    """
    if "supervisions" in part:
        return read_joined(part["recordings"], part["supervisions"], scratch)
    return read_cuts(part["cuts"], scratch)


def read_cuts(path: Path, scratch: Path) -> Iterator[tuple[Supervision, Source]]:
    """Yield the supervisions of cuts, each with its recording's source, sorted by id.

    A supervision that several cuts share, as windows of a cut do, has the cut's id behind its own.
    """
    with scratch.open("w", encoding="utf-8") as file:
        for cut in read_manifest("cuts", path):
            if not isinstance(cut, DataCut) or not cut.has_recording:
                raise ValueError(
                    f"{path}: cut {cut.id!r} is mixed or has no recording: save the audio"
                )
            with refusing(f"{path}: cut {cut.id!r}"):
                for item in cut.trimmed_supervisions:
                    where = f"{path}: supervision {item.id!r}"
                    taken = take_supervision(where, item, cut.start + item.start, cut.recording_id)
                    source = choose_source(where, take_sources(where, cut.recording), taken)
                    values = json.dumps([cut.id, taken, source])
                    file.write(f"{json.dumps(item.id)}\t{values}\n")
    sort_lines(scratch)
    count = 0
    with scratch.open(encoding="utf-8") as file:
        for _, lines in groupby(file, lambda line: line.partition("\t")[0]):
            first, *second = islice(lines, 2)
            for line in chain([first], second, lines):
                cut_id, taken, source = json.loads(line.partition("\t")[2])
                supervision = Supervision(*taken)
                if second:
                    count += 1
                    supervision = supervision._replace(id=f"{supervision.id}-{cut_id}")
                yield supervision, Source(*source)
    if count:
        logging.info(
            "%s: %d supervisions come in several cuts each, as in windows: their ids get their "
            "cut's",
            path, count,
        )  # fmt: skip
    scratch.unlink()


def read_joined(
    recordings: Path, supervisions: Path, scratch: Path
) -> Iterator[tuple[Supervision, Source]]:
    """Yield supervisions with their recordings' sources, by sorting both by the recording's id."""
    with scratch.open("w", encoding="utf-8") as file:
        for item in read_manifest("recordings", recordings):
            sources = take_sources(f"{recordings}: recording {item.id!r}", item)
            file.write(f"{json.dumps(item.id)}\t0\t{json.dumps(sources)}\n")
        for item in read_manifest("supervisions", supervisions):
            where = f"{supervisions}: supervision {item.id!r}"
            taken = take_supervision(where, item, item.start, item.recording_id)
            file.write(f"{json.dumps(item.recording_id)}\t1\t{json.dumps(taken)}\n")
    sort_lines(scratch)
    known = ""  # the id that `sources` belong to; as JSON, no id holds a tab or is empty
    with scratch.open(encoding="utf-8") as file:
        for line in file:
            key, kind, values = line.split("\t")
            if kind == "0":
                if key == known:
                    raise ValueError(
                        f"{recordings}: recording {json.loads(key)!r} comes twice: keep one"
                    )
                found = json.loads(values)
                known, sources = key, {int(name): Source(*found[name]) for name in found}
                continue
            supervision = Supervision(*json.loads(values))
            if key != known:
                raise ValueError(
                    f"{supervisions}: supervision {supervision.id!r} is of "
                    f"{supervision.recording!r}, which {recordings} lacks: add it"
                )
            where = f"{supervisions}: supervision {supervision.id!r}"
            yield supervision, choose_source(where, sources, supervision)
    scratch.unlink()


def read_manifest(kind: str, path: Path) -> Iterator[Any]:
    """Yield the items of a manifest.

    Raises:
        ValueError: the file holds something else.
    """
    set_class, item_class = CLASSES[kind]
    items = iter(set_class.from_jsonl_lazy(path))
    while True:
        try:
            item = next(items, None)
            if not isinstance(item, (item_class, type(None))):
                raise TypeError(f"it holds a {type(item).__name__}")
        except Exception as error:  # Lhotse raises whatever a wrong line leads to
            described = f"{type(error).__name__}: {command.describe_error(error)}"
            raise ValueError(f"{path}: not a manifest of {kind} ({described})") from error
        if item is None:
            return
        yield item


@contextmanager
def refusing(where: str) -> Iterator[None]:
    """Turn what values of other types lead to into one line."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {key}: {first['msg']}, got {first['input']!r}") from error
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        problem = command.describe_error(error)
        raise ValueError(f"{where}: values of other types ({problem}): correct them") from error


def take_sources(where: str, recording: Recording) -> dict[int, Source]:
    """Take the source of each channel of a recording, by Lhotse's number of the channel.

    Raises:
        ValueError: Lhotse would transform the audio, or values are of other types.
    """
    if recording.transforms:
        raise ValueError(f"{where} is of transformed audio: save the audio, and manifests of it")
    length = (recording.duration, recording.sampling_rate, recording.num_samples)
    found: dict[int, Source] = {}
    with refusing(where):
        for source in recording.sources:
            entry = str(source.source).strip() if source.type in USABLE else ""
            if source.type == "command":
                entry += " |"
            for place, channel in enumerate(map(int, source.channels)):
                taken = Source(source.type, entry, *length, len(source.channels), place)
                found[channel] = CHECKS[Source].validate_python(taken)
    return found


def choose_source(where: str, sources: dict[int, Source], supervision: Supervision) -> Source:
    """Return the source of a supervision's channel.

    Raises:
        ValueError: the recording lacks it, or it cannot stand in wav.scp.
    """
    channel = supervision.channel
    source = sources.get(channel)
    whose = f"{where} is of channel {channel} of recording {supervision.recording!r}"
    if source is None:
        raise ValueError(f"{whose}, which has {sorted(sources)}: correct one of them")
    if source.type not in USABLE:
        raise ValueError(f"{whose}, which is a {source.type}, not a file or command: save it")
    if source.type == "command" and source.channel:
        raise ValueError(f"{whose}: give a command that prints that channel alone, as a source")
    return source


def take_supervision(
    where: str, item: SupervisionSegment, start: float, recording: str
) -> Supervision:
    """Take a supervision, which starts at `start` of its recording, on the first of its channels.

    Raises:
        ValueError: it has no speaker, or values are of other types.
    """
    if not item.speaker:
        raise ValueError(f"{where} has no speaker: name one for every utterance")
    with refusing(where):
        channel = item.channel if isinstance(item.channel, int) else item.channel[0]
        end = start + item.duration
        taken = Supervision(
            item.id, recording, item.speaker, start, end, item.gender, item.text, channel
        )
        return CHECKS[Supervision].validate_python(taken)
