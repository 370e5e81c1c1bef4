"""Kaldi data directories: the text tables keyed by utterance or speaker, and what Kaldi demands.

A table holds `key value` lines, sorted and unique by key as bytes (`LC_ALL=C`), which is the
order of Python's strings too: UTF-8 keeps the order of code points.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from deep_speaker.audio import AudioInfo, wav_entry
from deep_speaker.files import replacing_file

# Tables keyed by utterance that stage 1 adds.
FEATURE_TABLES = ("feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames")
MADE_BY_STAGE = dict.fromkeys(FEATURE_TABLES, 1) | {"xvector.scp": 4, "spk_xvector.scp": 4}


@dataclass(frozen=True)
class Utterance:
    """A whole recording of one speaker.

    Attributes:
        id: starts with `speaker` and a dash, so that both orders of utt2spk agree.
        sex: `m`, `f` or None where it is not known.
        text: what is said, where that is known.
    """

    id: str
    speaker: str
    path: Path
    info: AudioInfo
    sex: str | None = None
    text: str | None = None


def missing_input(path: Path, stage: int) -> str:
    """What to say of an absent input, and which stage makes it."""
    return f"{path} is missing: run stage {stage} first (the same command with --stage {stage})"


def iterate_table(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the (key, value) pairs of a table; the value is the rest of the line.

    Raises:
        ValueError: the file is missing (with the stage that makes it), or a line has no value,
            or a key comes twice.
    """
    if not path.is_file():
        stage = MADE_BY_STAGE.get(path.name, 0)
        raise ValueError(missing_input(path, stage))
    seen = set()
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.split(maxsplit=1)
            if len(fields) != 2:
                raise ValueError(f"{path}, line {number}: expected 'key value', got {line!r}")
            if fields[0] in seen:
                raise ValueError(f"{path}, line {number}: {fields[0]!r} stands there twice")
            seen.add(fields[0])
            yield fields[0], fields[1].strip()


def read_table(path: Path) -> dict[str, str]:
    """All of a table; see `iterate_table`."""
    return dict(iterate_table(path))


def write_table(path: Path, table: Mapping[str, object]) -> None:
    """Write a table sorted by key."""
    with replacing_file(path) as file:
        file.writelines(f"{key} {table[key]}\n" for key in sorted(table))


def read_optional_table(path: Path) -> dict[str, str]:
    """A table that may be absent: empty then."""
    return read_table(path) if path.is_file() else {}


def group_by_speaker(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """spk2utt of utt2spk: speakers and their utterances, each sorted."""
    spk2utt: dict[str, list[str]] = defaultdict(list)
    for utterance in sorted(utt2spk):
        spk2utt[utt2spk[utterance]].append(utterance)
    return dict(sorted(spk2utt.items()))


def write_data_dir(folder: Path, utterances: Iterable[Utterance]) -> None:
    """Write wav.scp, utt2spk, spk2utt, utt2dur, reco2dur and, where known for all, spk2gender.

    reco2dur equals utt2dur as there are no segments; Lhotse's import wants it.
    """
    chosen = {utterance.id: utterance for utterance in utterances}
    utt2spk = {key: utterance.speaker for key, utterance in chosen.items()}
    durations = {key: f"{utterance.info.duration:.6f}" for key, utterance in chosen.items()}
    sexes = {utterance.speaker: utterance.sex for utterance in chosen.values()}
    entries = {key: wav_entry(item.path, item.info) for key, item in chosen.items()}
    write_table(folder / "wav.scp", entries)
    write_table(folder / "utt2spk", utt2spk)
    write_spk2utt(folder / "spk2utt", utt2spk)
    write_table(folder / "utt2dur", durations)
    write_table(folder / "reco2dur", durations)
    if all(sexes.values()):
        write_table(folder / "spk2gender", sexes)
    validate_data_dir(folder)


def write_spk2utt(path: Path, utt2spk: Mapping[str, str]) -> None:
    speakers = group_by_speaker(utt2spk)
    write_table(path, {speaker: " ".join(utts) for speaker, utts in speakers.items()})


def remove_utterances(folder: Path, unwanted: set[str]) -> None:
    """Drop utterances from every table of `folder`, as Kaldi's fix_data_dir.sh does."""
    utt2spk = read_table(folder / "utt2spk")
    kept = {key: speaker for key, speaker in utt2spk.items() if key not in unwanted}
    if not kept:
        raise ValueError(f"{folder}: no utterance is left")
    for name in (*FEATURE_TABLES, "utt2dur", "reco2dur"):
        table = read_optional_table(folder / name)
        if table:
            write_table(folder / name, {key: table[key] for key in kept if key in table})
    write_spk2utt(folder / "spk2utt", kept)
    sexes = read_optional_table(folder / "spk2gender")
    if sexes:
        speakers = set(kept.values())
        write_table(folder / "spk2gender", {key: sexes[key] for key in sexes if key in speakers})
    write_table(folder / "utt2spk", kept)
    table = read_table(folder / "wav.scp")  # last: while it names them, a rerun finds them again
    write_table(folder / "wav.scp", {key: table[key] for key in kept})


def validate_data_dir(folder: Path) -> None:
    """Check what Kaldi's validate_data_dir.sh checks of the tables this recipe writes.

    Raises:
        ValueError: naming the file and the first key that is wrong.
    """
    utt2spk = _read_sorted(folder / "utt2spk")
    if list(utt2spk.items()) != sorted(utt2spk.items(), key=lambda item: (item[1], item[0])):
        raise ValueError(
            f"{folder}/utt2spk: not sorted by speaker when sorted by utterance: make the speaker "
            "id and a dash the prefix of every utterance id"
        )
    speakers = {key: value.split() for key, value in _read_sorted(folder / "spk2utt").items()}
    if speakers != group_by_speaker(utt2spk):
        raise ValueError(f"{folder}/spk2utt: does not match utt2spk")
    for name in ("wav.scp", "utt2dur", "reco2dur", *FEATURE_TABLES):
        if name == "wav.scp" or (folder / name).exists():
            _check_keys(folder / name, _read_sorted(folder / name), utt2spk)
    for name, form in (("utt2dur", r"[\d.]+"), ("reco2dur", r"[\d.]+"), ("utt2num_frames", r"\d+")):
        for key, value in read_optional_table(folder / name).items():
            if not re.fullmatch(form, value) or float(value) <= 0:
                raise ValueError(f"{folder}/{name}: {key!r} has {value!r}, not a number above 0")
    if (folder / "spk2gender").exists():
        sexes = _read_sorted(folder / "spk2gender")
        _check_keys(folder / "spk2gender", sexes, speakers)
        if not set(sexes.values()) <= {"m", "f"}:
            raise ValueError(f"{folder}/spk2gender: values other than m and f")


def _read_sorted(path: Path) -> dict[str, str]:
    table = read_table(path)
    if not table:
        raise ValueError(f"{path}: empty")
    keys = list(table)
    for before, after in pairwise(keys):
        if before > after:
            raise ValueError(f"{path}: {after!r} comes after {before!r}: sort it with LC_ALL=C")
    return table


def _check_keys(path: Path, table: Mapping[str, str], expected: Iterable[str]) -> None:
    differing = sorted(set(table) ^ set(expected))
    if differing:
        raise ValueError(
            f"{path}: {len(differing)} keys differ from utt2spk's, first {differing[0]!r}"
        )
