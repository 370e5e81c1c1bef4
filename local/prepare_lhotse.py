#!/usr/bin/env python3
"""Stage 0 for Lhotse manifests of any corpus: a supervision is an utterance.

Either --train-dir and --test-dir, folders of manifests `*recordings*` and `*supervisions*`, or
`*cuts*`, each `.jsonl` or `.jsonl.gz`; or --test-dir alone, to judge published weights; or
--corpus-dir, such a folder of several parts, of which --train-parts and --test-parts choose:
patterns of what follows `recordings_` in the names.
A supervision that covers its recording is the whole of it, another a segment. Its id gets the
speaker as prefix, unless it has that; and its cut's id at the end where several cuts share it.
It is heard on its channel, of several on the first of them; segments on another channel than 0, in
Lhotse's count, lie in a recording `<id>-2`, `<id>-3`, ...
Relative paths in manifests start at the current directory or, if there is no such file, at a folder
around the manifests. A shell runs sources that are commands, unless --commands refuse.

No manifest is held in memory: recordings and supervisions are joined on disk.
"""

import argparse
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import chain
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo, wav_entry
from deep_speaker.system import command
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.files import scratch_directory
from deep_speaker.system.locks import locked
from deep_speaker.system.processes import map_in_threads
from lhotse_manifests import CLASSES, Source, Supervision, read_part
from relative_paths import make_locator

NAME = re.compile(r"(.*?)(recordings|supervisions|cuts)(.*?)\.jsonl(\.gz)?")
COVERS = 0.002  # seconds by which a supervision of the whole may be shorter: Lhotse rounds

Audio = tuple[str, AudioInfo] | str  # the entry of wav.scp and its header; or the reason of neither


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(
        parser, "manifests of all parts", "manifests to train with", "manifests to test with"
    )
    for name in ("train", "test"):
        parser.add_argument(
            f"--{name}-parts",
            nargs="+",
            default=[f"{name}*"],
            metavar="PATTERN",
            help=f"parts of --corpus-dir, default '{name}*'",
        )
    preparation.add_commands_option(parser)
    options = parser.parse_args()
    if options.corpus_dir and not (options.train_dir or options.test_dir):
        chosen = {
            "train": (options.corpus_dir, options.train_parts),
            "test": (options.corpus_dir, options.test_parts),
        }
    elif options.test_dir and not options.corpus_dir:
        chosen = {"train": (options.train_dir, ["*"]), "test": (options.test_dir, ["*"])}
    else:
        raise ValueError(preparation.explain_folders("lhotse"))
    ids = preparation.SafeIds()
    place = options.output / "joining.partial"
    with locked(options.output), scratch_directory(place) as scratch:
        sets = {
            name: read_parts(find_parts(folder, patterns), folder, scratch / name, ids, options)
            for name, (folder, patterns) in chosen.items()
            if folder
        }
        preparation.write_corpus(options, sets.get("train"), sets["test"])


def find_parts(folder: Path, patterns: Iterable[str]) -> list[dict[str, Path]]:
    """Find the manifests of each part that fits a pattern, by kind: `recordings` and so on.

    Raises:
        ValueError: there is none, or one lacks its partner.
    """
    parts: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        match = NAME.fullmatch(path.name)
        if match and not path.name.startswith("."):  # ._x of a Mac
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
        if parts[key].keys() not in ({"recordings", "supervisions"}, CLASSES.keys(), {"cuts"}):
            path = next(iter(parts[key].values()))
            raise ValueError(f"{path}: recordings and supervisions go together, or cuts alone")
    return [parts[key] for key in fitting]


def read_parts(
    parts: list[dict[str, Path]],
    folder: Path,
    scratch: Path,
    ids: preparation.SafeIds,
    options: argparse.Namespace,
) -> Iterator[Utterance]:
    """Yield the utterances of parts; log and leave out those whose audio cannot be read.

    Args:
        scratch: a file to write.
        ids: of speakers, of all sets so far.
        options: how many jobs work, and what to do about sources that are commands.

    Raises:
        ValueError: a manifest holds items that cannot be used; or too much audio is bad, see
            `check_bad_items`.
    """
    find_audio = make_finder(folder)
    found = preparation.Commands(options.commands)

    def read(item: tuple[Supervision, Source]) -> tuple[Supervision, Source, Audio]:
        return *item, find_audio(item[1])

    def good() -> Iterator[Utterance]:
        bad: dict[str, str] = {}
        total = 0
        items = chain.from_iterable(read_part(part, scratch) for part in parts)
        for item, source, audio in map_in_threads(read, items, options.nj):
            total += 1
            found.check(f"{folder}: recording {item.recording!r}", source.entry)
            speaker = ids.of(item.speaker)
            key = make_key(item, speaker)
            if isinstance(audio, str):
                bad[key] = audio
            else:
                sex = (item.gender or "").lower()[:1]
                known_sex = sex if sex in ("m", "f") else None
                segment = make_segment(item, source)
                yield Utterance(key, speaker, *audio, known_sex, item.text, segment)
        for name, key in ids.numbered().items():
            logging.warning(
                "speaker %r becomes %s, as another one has the id without number", name, key
            )
        found.tell(str(folder))
        check_bad_items(bad, total, "supervisions", f"mend the audio that {folder} names")

    return preparation.fit_segments(good())


def make_finder(folder: Path) -> Callable[[Source], Audio]:
    """Make a function that finds the audio of a source of the manifests in `folder`."""
    locate = make_locator(folder)

    @lru_cache(maxsize=1024)  # supervisions of a recording come together
    def find_audio(source: Source) -> Audio:
        try:
            entry = locate(source.entry)
            if source.type == "command":
                form = (source.sampling_rate, source.num_samples, source.num_channels)
                return entry, AudioInfo(*form, "WAV", "PCM_16")
            info = read_info(Path(entry))
            if source.channel >= info.num_channels:
                return f"no channel {source.channel + 1}: it has {info.num_channels}"
            return wav_entry(Path(entry), info, source.channel), info
        except (ValueError, OSError) as error:
            return str(error)

    return find_audio


def make_key(item: Supervision, speaker: str) -> str:
    """Make the utterance's id."""
    key = safe_key(item.id)
    return key if key.startswith(f"{speaker}-") else f"{speaker}-{key}"


def make_segment(item: Supervision, source: Source) -> Segment | None:
    """Make the segment of the recording; None if it is the whole."""
    if item.start <= 0 and item.end >= source.duration - COVERS:
        return None
    side = f"-{item.channel + 1}" if item.channel else ""
    return Segment(safe_key(item.recording) + side, max(item.start, 0.0), item.end)


def safe_key(text: str) -> str:
    """Replace white space in an id."""
    return re.sub(r"\s", "_", text)


if __name__ == "__main__":
    command.run(main)
