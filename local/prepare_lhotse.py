#!/usr/bin/env python3
"""Stage 0 for Lhotse manifests of any corpus: a supervision is an utterance.

Either --train-dir and --test-dir, folders of manifests `*recordings*` and `*supervisions*`, or
`*cuts*`, each `.jsonl` or `.jsonl.gz`; or --corpus-dir, such a folder of several parts, of which
--train-parts and --test-parts choose: patterns of what follows `recordings_` in the names.
A supervision that covers its recording is the whole of it, another a segment. Its id gets the
speaker as prefix where it has not. Relative paths in manifests are those below the current
directory or, where it has no such file, below a folder around the manifests.

Supervisions and cuts are read one by one; of a part's recordings some 0.4 kB each are held.
"""

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.cut.data import DataCut

from deep_speaker import command, corpus
from deep_speaker.audio import AudioInfo, read_info, wav_entry
from deep_speaker.bad_items import check_bad_items
from deep_speaker.data_dir import Segment, Utterance
from deep_speaker.parallel import map_in_threads
from prepare_kaldi import fit_segments, make_locator

SET_OF = {"recordings": RecordingSet, "supervisions": SupervisionSet, "cuts": CutSet}
NAME = re.compile(r"(.*?)(recordings|supervisions|cuts)(.*?)\.jsonl(\.gz)?")
COVERS = 0.002  # seconds by which a supervision of the whole may be shorter: Lhotse rounds


@dataclass(frozen=True, slots=True)
class Source:
    """Of a recording, what its supervisions need; `info` of commands, which are not run here."""

    entry: str
    duration: float
    info: AudioInfo | None


@dataclass(frozen=True)
class Item:
    """An utterance before its audio has been looked at."""

    key: str
    speaker: str
    source: Source
    segment: Segment | None
    sex: str | None
    text: str | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    corpus.add_options(parser)
    parser.add_argument("--corpus-dir", type=command.resolved_path, help="manifests of all parts")
    parser.add_argument("--train-dir", type=command.resolved_path, help="manifests to train with")
    parser.add_argument("--test-dir", type=command.resolved_path, help="manifests to test with")
    for name in ("train", "test"):
        parser.add_argument(
            f"--{name}-parts",
            nargs="+",
            default=[f"{name}*"],
            metavar="PATTERN",
            help=f"parts of --corpus-dir, default '{name}*'",
        )
    options = parser.parse_args()
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        chosen = [
            (options.corpus_dir, options.train_parts),
            (options.corpus_dir, options.test_parts),
        ]
    elif options.train_dir and options.test_dir and not options.corpus_dir:
        chosen = [(options.train_dir, ["*"]), (options.test_dir, ["*"])]
    else:
        raise ValueError("corpus 'lhotse' needs --corpus-dir, or both --train-dir and --test-dir")
    names: dict[str, str] = {}
    train, test = (
        read_parts(find_parts(folder, patterns), folder, names, options.nj)
        for folder, patterns in chosen
    )
    corpus.write_corpus(options, train, test)


def find_parts(folder: Path, patterns: Iterable[str]) -> list[dict[str, Path]]:
    """The manifests of each part that a pattern fits, by kind: `recordings` and so on.

    Raises:
        ValueError: there is none, or one lacks its partner.
    """
    parts: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        match = NAME.fullmatch(path.name)
        if match:
            parts.setdefault((match[1], match[3]), {})[match[2]] = path
    known = {key: (key[1] or key[0]).strip("_-.") for key in parts}
    fitting = [
        key for key, name in known.items() if any(fnmatchcase(name, item) for item in patterns)
    ]
    if not fitting:
        raise ValueError(
            f"{folder}: no manifests {' or '.join(patterns)}; expected *recordings*.jsonl.gz and "
            f"*supervisions*.jsonl.gz, or *cuts*.jsonl.gz; parts there: {' '.join(known.values())}"
        )
    for key in fitting:
        if parts[key].keys() not in ({"recordings", "supervisions"}, SET_OF.keys(), {"cuts"}):
            path = next(iter(parts[key].values()))
            raise ValueError(f"{path}: recordings and supervisions go together, or cuts alone")
    return [parts[key] for key in fitting]


def read_parts(
    parts: list[dict[str, Path]], folder: Path, names: dict[str, str], num_jobs: int
) -> Iterator[Utterance]:
    """The utterances of parts; those whose audio cannot be read are logged and left out.

    Args:
        names: speakers' names by their ids, of all sets so far.

    Raises:
        ValueError: a manifest holds what cannot be used; or too much audio is bad, see
            `check_bad_items`.
    """
    locate = make_locator(folder)

    @lru_cache(maxsize=1024)  # segments of a recording come together
    def read_header(path: str) -> tuple[str, AudioInfo]:
        located = Path(locate(path))
        info = read_info(located)
        return wav_entry(located, info), info

    def read(item: Item) -> Utterance | tuple[str, str]:
        try:
            if isinstance(item.source.info, AudioInfo):
                entry, info = locate(item.source.entry), item.source.info
            else:
                entry, info = read_header(item.source.entry)
        except (ValueError, OSError) as error:
            return item.key, str(error)
        return Utterance(item.key, item.speaker, entry, info, item.sex, item.text, item.segment)

    def good() -> Iterator[Utterance]:
        bad: dict[str, str] = {}
        total = 0
        items = chain.from_iterable(read_part(part, names) for part in parts)
        for result in map_in_threads(read, items, num_jobs):
            total += 1
            if isinstance(result, Utterance):
                yield result
            else:
                bad[result[0]] = result[1]
        check_bad_items(bad, total, "supervisions", f"mend the audio that {folder} names")

    return fit_segments(good())


def read_part(part: dict[str, Path], names: dict[str, str]) -> Iterator[Item]:
    """The supervisions of a part with their recordings."""
    if "supervisions" not in part:
        for cut in read_manifest("cuts", part["cuts"]):
            if not isinstance(cut, DataCut) or not cut.has_recording:
                raise ValueError(
                    f"{part['cuts']}: cut {cut.id!r} is mixed or has no recording: save the audio"
                )
            for supervision in cut.trimmed_supervisions:
                where = f"{part['cuts']}: supervision {supervision.id!r}"
                start = cut.start + supervision.start
                source = read_source(where, cut.recording)
                yield make_item(where, supervision, start, cut.recording_id, source, names)
        return
    sources = {
        recording.id: read_source(f"{part['recordings']}: recording {recording.id!r}", recording)
        for recording in read_manifest("recordings", part["recordings"])
    }
    for supervision in read_manifest("supervisions", part["supervisions"]):
        where = f"{part['supervisions']}: supervision {supervision.id!r}"
        recording_id = supervision.recording_id
        if recording_id not in sources:
            raise ValueError(f"{where} is of {recording_id!r}, which {part['recordings']} lacks")
        source = sources[recording_id]
        yield make_item(where, supervision, supervision.start, recording_id, source, names)


def read_manifest(kind: str, path: Path) -> Iterator[Any]:
    """The items of a manifest, one by one."""
    items = iter(SET_OF[kind].from_jsonl_lazy(path))
    while True:
        try:
            item = next(items, None)
        except Exception as error:  # Lhotse raises whatever a wrong line leads to
            described = f"{type(error).__name__}: {command.describe(error)}"
            raise ValueError(f"{path}: not a manifest of {kind} ({described})") from error
        if item is None:
            return
        yield item


def read_source(where: str, recording: Recording) -> Source:
    """The file or command of a recording that has its channel 0 first.

    Raises:
        ValueError: there is none, or the recording is not taken as it is.
    """
    if recording.transforms:
        raise ValueError(f"{where} is of transformed audio: save the audio, and manifests of it")
    found = [source for source in recording.sources if source.channels[0] == 0]
    if not found or found[0].type not in ("file", "command"):
        kinds = ", ".join(f"{s.type} of channels {s.channels}" for s in recording.sources)
        raise ValueError(
            f"{where}: its audio is {kinds}; needed is a file or command with channel 0 first: "
            "save the audio"
        )
    source, info = found[0], None
    if source.type == "command":
        rate, count = recording.sampling_rate, recording.num_samples
        info = AudioInfo(rate, count, len(source.channels), "WAV", "PCM_16")
        return Source(f"{source.source.strip()} |", recording.duration, info)
    return Source(str(source.source), recording.duration, info)


def make_item(
    where: str,
    supervision: SupervisionSegment,
    start: float,
    recording_id: str,
    source: Source,
    names: dict[str, str],
) -> Item:
    """An utterance of a supervision that starts at `start` of its recording.

    Raises:
        ValueError: it has no speaker, or is of another channel than 0, or two speakers' names
            become one id.
    """
    if not supervision.speaker:
        raise ValueError(f"{where} has no speaker: verification needs one of each utterance")
    if supervision.channel not in (0, [0]):
        raise ValueError(
            f"{where} is of channel {supervision.channel}; only channel 0 is read: save the "
            "others as recordings of their own"
        )
    speaker = corpus.safe_id(supervision.speaker)
    if names.setdefault(speaker, supervision.speaker) != supervision.speaker:
        raise ValueError(
            f"{where}: speakers {names[speaker]!r} and {supervision.speaker!r} both become "
            f"{speaker!r}: rename one"
        )
    end = start + supervision.duration
    whole = start <= 0 and end >= source.duration - COVERS
    segment = None if whole else Segment(safe_key(recording_id), max(start, 0.0), end)
    sex = (supervision.gender or "").lower()[:1]
    key = safe_key(supervision.id)
    if not key.startswith(f"{speaker}-"):
        key = f"{speaker}-{key}"
    return Item(key, speaker, source, segment, sex if sex in ("m", "f") else None, supervision.text)


def safe_key(text: str) -> str:
    """An id without white space."""
    return re.sub(r"\s", "_", text)


if __name__ == "__main__":
    command.run(main)
