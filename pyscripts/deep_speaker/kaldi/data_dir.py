"""Kaldi data directories: utterances as tables keyed by utterance, recording or speaker."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby, repeat
from operator import itemgetter
from pathlib import Path
from typing import IO

from deep_speaker.config.stages import FEATURE_TABLES
from deep_speaker.kaldi.audio import read_entry_info
from deep_speaker.kaldi.tables import (
    iterate_keys,
    iterate_table,
    read_optional_table,
    read_table,
    write_rows,
    write_table,
)
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.processes import map_in_threads
from deep_speaker.system.sorting import sort_lines

# All tables that may be keyed by utterance; without segments, recordings have utterances' ids.
UTTERANCE_TABLES = ("utt2dur", "segments", "text", "utt2uniq", *FEATURE_TABLES)
RECORDING_TABLES = ("wav.scp", "reco2dur")


def write_data_dir(folder: Path, utterances: Iterable[Utterance]) -> None:
    """Write the tables of utterances into a new folder, without holding one in memory.

    Always wav.scp, utt2spk, spk2utt, utt2dur and reco2dur (for Lhotse's import); segments if an
    utterance is a segment; spk2gender and text if known for all utterances.

    Args:
        utterances: sorted by id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = ("wav.scp", "segments", "utt2spk", "spk2utt", "utt2dur", "reco2dur", "text")
    sexes: dict[str, str | None] = {}
    has_text, has_segments = True, False
    with ExitStack() as stack:
        tables = {
            name: stack.enter_context((folder / name).open("w", encoding="utf-8")) for name in names
        }
        for speaker, group in groupby(utterances, lambda item: item.speaker):
            keys = []
            for item in group:
                keys.append(item.id)
                sexes[speaker] = item.sex
                has_text &= item.text is not None
                has_segments |= item.segment is not None
                _write_utterance(tables, item)
            tables["spk2utt"].write(f"{speaker} {' '.join(keys)}\n")
    if has_segments:
        for name in RECORDING_TABLES:  # written once per utterance, in the order of utterances
            sort_lines(folder / name, unique=True)
    else:
        (folder / "segments").unlink()
    if not has_text:
        (folder / "text").unlink()
    if all(sexes.values()):
        write_table(folder / "spk2gender", sexes)


def _write_utterance(tables: Mapping[str, IO[str]], item: Utterance) -> None:
    key, recording, length = item.id, item.recording, item.info.duration
    start, end = (item.segment.start, item.segment.end) if item.segment else (0, length)
    tables["wav.scp"].write(f"{recording} {item.entry}\n")
    tables["reco2dur"].write(f"{recording} {length:.6f}\n")
    tables["segments"].write(f"{key} {recording} {start:.6f} {end:.6f}\n")
    tables["utt2spk"].write(f"{key} {item.speaker}\n")
    tables["utt2dur"].write(f"{key} {item.duration:.6f}\n")
    tables["text"].write(" ".join([key, *(item.text or "").split()]) + "\n")


def read_utterances(
    folder: Path, num_jobs: int, locate: Callable[[str], str] = str, decoded: bool = False
) -> Iterator[Utterance]:
    """Yield the utterances of a data directory that Kaldi accepts, in its order.

    Recordings whose audio cannot be read are logged and left out. Without segments, no table is
    held in memory.

    Args:
        locate: returns the entry to use in place of an entry of wav.scp.
        decoded: take the lengths of recordings from reco2dur, which stage 1 has corrected, not from
            their headers.

    Raises:
        ValueError: a table is missing, or too many recordings are bad; see `check_bad_items`.
    """
    sexes = read_optional_table(folder / "spk2gender")
    bad: dict[str, str] = {}
    total = 0
    for key, speaker, text, segment, entry, info in _join_tables(folder, num_jobs, locate, decoded):
        total += 1
        if isinstance(info, AudioInfo):
            yield Utterance(key, speaker, entry, info, sexes.get(speaker), text, segment)
        else:
            bad[key] = info
    check_bad_items(bad, total, "utterances", f"mend what {folder}/wav.scp names")


def _join_tables(
    folder: Path, num_jobs: int, locate: Callable[[str], str], decoded: bool
) -> Iterator[tuple[str, str, str | None, Segment | None, str, AudioInfo | str]]:
    speakers = iterate_table(folder / "utt2spk")
    has_text = (folder / "text").is_file()
    texts = iterate_table(folder / "text") if has_text else repeat(("", None))

    has_lengths = decoded and (folder / "reco2dur").is_file()
    durations = iterate_table(folder / "reco2dur") if has_lengths else repeat(("", None))

    def read(
        recording: tuple[tuple[str, str], tuple[str, str | None]],
    ) -> tuple[str, AudioInfo | str]:
        (_, entry), (_, seconds) = recording
        try:
            located = locate(entry)
            info = read_entry_info(located)
            if seconds is not None:
                info = replace(info, num_samples=round(float(seconds) * info.sampling_rate))
            return located, info
        except (ValueError, OSError) as error:
            return entry, str(error)

    recordings = zip(iterate_table(folder / "wav.scp"), durations, strict=False)
    found = map_in_threads(read, recordings, num_jobs)
    if not (folder / "segments").is_file():
        for (key, speaker), (_, text), (entry, info) in zip(speakers, texts, found, strict=False):
            yield key, speaker, text, None, entry, info
        return
    infos = dict(zip(read_table(folder / "wav.scp"), found, strict=True))
    segments = iterate_segments(folder / "segments")
    for (key, speaker), (_, text), (_, segment) in zip(speakers, texts, segments, strict=False):
        yield key, speaker, text, segment, *infos[segment.recording]


def iterate_segments(path: Path) -> Iterator[tuple[str, Segment]]:
    """Yield the (utterance, segment) pairs of Kaldi's table `segments`; see `parse_segment`."""
    return ((key, parse_segment(path, key, value)) for key, value in iterate_table(path))


def parse_segment(path: Path, key: str, value: str) -> Segment:
    """Return the segment of a line of the table `segments`.

    Raises:
        ValueError: the line is not `utterance recording start end`, with times that rise from 0.
    """
    try:
        recording, start, end = value.split()
        segment = Segment(recording, float(start), float(end))
    except ValueError:
        segment = Segment("", 0, 0)
    if not 0 <= segment.start < segment.end:
        raise ValueError(
            f"{path}: {key!r} has {value!r}; expected '<recording> <start> <end>', in seconds, "
            "the end after the start"
        )
    return segment


def write_spk2utt(path: Path, utt2spk: Iterable[tuple[str, str]]) -> None:
    """Write the table spk2utt that belongs to the rows of utt2spk, sorted by either column."""
    groups = groupby(utt2spk, itemgetter(1))
    write_rows(path, ((speaker, " ".join(key for key, _ in group)) for speaker, group in groups))


def remove_from_tables(folder: Path, unwanted: Collection[str]) -> None:
    """Drop utterances from every table of `folder`, as Kaldi's fix_data_dir.sh does."""

    def stays(key: str) -> bool:
        return key not in unwanted

    kept = {speaker for key, speaker in iterate_table(folder / "utt2spk") if stays(key)}
    if not kept:
        total = sum(1 for _ in iterate_keys(folder / "utt2spk"))
        raise ValueError(f"{folder}: none of its {total} utterances would be left")
    _keep_keys(folder, UTTERANCE_TABLES, stays)
    rows = ((key, speaker) for key, speaker in iterate_table(folder / "utt2spk") if stays(key))
    write_spk2utt(folder / "spk2utt", rows)
    _keep_keys(folder, ("spk2gender",), kept.__contains__)
    _keep_keys(folder, ("utt2spk",), stays)
    is_heard: Callable[[str], bool] = stays
    if (folder / "segments").is_file():
        segments = iterate_segments(folder / "segments")
        is_heard = {segment.recording for _, segment in segments}.__contains__
    # wav.scp last: while it names them, a rerun finds them again
    _keep_keys(folder, RECORDING_TABLES[::-1], is_heard)


def _keep_keys(folder: Path, names: Iterable[str], is_kept: Callable[[str], bool]) -> None:
    for name in names:
        if (folder / name).is_file():
            rows = iterate_table(folder / name)
            write_rows(folder / name, (row for row in rows if is_kept(row[0])))
