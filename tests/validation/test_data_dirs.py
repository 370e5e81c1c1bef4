"""Data directories that Kaldi would refuse are refused, with file, line, key and remedy named."""

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.validation.data_dirs import validate_data_dir
from support import kaldi_checks
from support.kaldi_folders import SPEAKERS, make_segments, make_utterances, write_folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all tables that Kaldi knows, of values that are all but refused."""
    folder = write_folder(tmp_path_factory.mktemp("good"), make_utterances(SPEAKERS))
    for name, value in OTHER_TABLES.items():
        keyed_by = "spk2utt" if name in ("spk2warp", "cmvn.scp") else "utt2spk"
        write_table(folder / name, dict.fromkeys(read_table(folder / keyed_by), value))
    words = "don't <s>ay it's #01 or a#0b, Łukasz: 李\u200b"
    write_table(folder / "text", dict.fromkeys(read_table(folder / "utt2spk"), words))
    assert kaldi_checks.validate(folder) == "valid"
    validate_data_dir(folder)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "folder")


def test_a_speaker_who_is_no_prefix_is_refused(tmp_path: Path) -> None:
    utterances = make_utterances({"b": ["1-b"], "a": ["2-a"]})
    with pytest.raises(ValueError, match=r"/utt2spk, line 2: .*'2-a' of 'a'.*prefix"):
        write_data_dir(tmp_path, utterances)
        validate_data_dir(tmp_path)


def edit(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        text = "".join(f"{line}\n" for line in change(lines))
        (folder / name).write_text(text, encoding="utf-8")

    return apply


def set_value(value: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [f"{lines[0].split()[0]} {value}", *lines[1:]]


ALL_TABLES = ("utt2spk", "spk2utt", "wav.scp", "feats.scp", "vad.scp", "utt2dur", "reco2dur")
# What Kaldi knows and this recipe does not write.
OTHER_TABLES = {
    "utt2warp": "1.01",
    "spk2warp": "0.9",
    "reco2file_and_channel": "file A",
    "cmvn.scp": "/a.ark:5",
}
DAMAGES = [
    *[(name, "a line less", lambda lines: lines[:-1]) for name in (*ALL_TABLES, "spk2gender")],
    *[(name, "unsorted", lambda lines: lines[::-1]) for name in (*ALL_TABLES, "spk2gender")],
    *[(name, "a line twice", lambda lines: [lines[0], *lines]) for name in ALL_TABLES],
    ("utt2num_frames", "a line more", lambda lines: [*lines, "\U0001f600-1 150"]),
    ("utt2spk", "empty", lambda lines: []),
    ("utt2spk", "no speaker", lambda lines: [lines[0].split()[0], *lines[1:]]),
    ("utt2spk", "two speakers", lambda lines: [f"{lines[0]} other", *lines[1:]]),
    ("spk2utt", "another speaker's", lambda lines: [f"{lines[0]} 李-1", *lines[1:]]),
    ("spk2gender", "neither", set_value("x")),
    ("utt2dur", "no duration", set_value("0")),
    ("utt2num_frames", "half a frame", set_value("150.5")),
    ("utt2num_frames", "other digits", set_value("\uff11\uff15")),
    ("utt2num_frames", "a break", set_value("1_000")),
    ("wav.scp", "a tilde", set_value("~/19-198-0000.wav")),
    ("wav.scp", "empty", lambda lines: []),
    ("utt2spk", "an odd space in an id", lambda lines: [lines[0].replace(" ", "\u3000")]),
    ("utt2spk", "two spaces", lambda lines: [lines[0], lines[1].replace(" ", "  "), *lines[2:]]),
    *[
        ("utt2spk", f"{blank!r} first", lambda lines, b=blank: [lines[0], b + lines[1], *lines[2:]])
        for blank in (" ", "\t", "  ")
    ],
    *[
        ("utt2spk", f"{blank!r} last", lambda lines, b=blank: [lines[0] + b, *lines[1:]])
        for blank in (" ", "\t")
    ],
    ("utt2spk", "CRLF", lambda lines: [f"{line}\r" for line in lines]),
    *[
        (name, f"{damage} more", lambda lines, damage=damage: [f"{lines[0]} {damage}", *lines[1:]])
        for name in ("text",)
        for damage in ("<s>", "</s>", "(#0)", "\u3000", "\xa0 a", "\x07", "\u0378", "\r")
    ],
    ("text", "a line less", lambda lines: lines[:-1]),
    *[(name, "a line less", lambda lines: lines[:-1]) for name in OTHER_TABLES],
    *[(name, "a wrong value", set_value("2.5 C")) for name in OTHER_TABLES if name != "cmvn.scp"],
    *[(name, "too much warp", set_value("1.5")) for name in ("utt2warp", "spk2warp")],
    ("reco2file_and_channel", "a third channel", set_value("file C")),
]


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, change) for name, _, change in DAMAGES],
    ids=[f"{name}: {damage}" for name, damage, _ in DAMAGES],
)
def test_what_kaldi_refuses_is_refused_by_name(
    folder: Path, name: str, change: Callable[[list[str]], list[str]]
) -> None:
    edit(name, change)(folder)
    assert kaldi_checks.validate(folder) != "valid"
    # A table may be told by one that it does not match.
    named = {"utt2spk": "utt2spk|spk2utt", "spk2utt": "spk2utt|spk2gender"}.get(name, name)
    with pytest.raises(ValueError, match=rf"/({named})(, line \d+)?: "):
        validate_data_dir(folder)


SEGMENT_DAMAGES = [
    ("segments", "a line less", lambda lines: lines[:-1]),
    ("segments", "unsorted", lambda lines: lines[::-1]),
    ("segments", "an end before its start", set_value("call-2 2.0 1.5")),
    ("segments", "no end", set_value("call-2 2.0")),
    ("segments", "an unknown recording", set_value("call-3 2.0 2.5")),
    ("wav.scp", "a line less", lambda lines: lines[:-1]),
    ("wav.scp", "unsorted", lambda lines: lines[::-1]),
    ("reco2dur", "a line less", lambda lines: lines[1:]),
]


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, change) for name, _, change in SEGMENT_DAMAGES],
    ids=[f"{name}: {damage}" for name, damage, _ in SEGMENT_DAMAGES],
)
def test_damaged_segments_are_refused_by_name(
    tmp_path: Path, name: str, change: Callable[[list[str]], list[str]]
) -> None:
    write_folder(tmp_path, make_segments())
    validate_data_dir(tmp_path)
    edit(name, change)(tmp_path)
    with pytest.raises(ValueError, match=r"/(segments|wav\.scp|reco2dur), line \d+: "):
        validate_data_dir(tmp_path)


@pytest.mark.parametrize("value", ["1.2.3", "x", "nan", "inf"])
def test_a_duration_is_a_number_though_kaldi_lets_others_pass(folder: Path, value: str) -> None:
    edit("utt2dur", set_value("1e+02"))(folder)
    validate_data_dir(folder)
    edit("utt2dur", set_value(value))(folder)
    with pytest.raises(ValueError, match=f"/utt2dur, line 1: '19-198-0000' .*'{value}'"):
        validate_data_dir(folder)


def damage_at_random(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    place = rng.randrange(len(text))
    kind = rng.randrange(7)
    if kind == 0:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 1:
        lines.insert(i, lines[j])
    elif kind == 2:
        del lines[i]
    elif kind == 3:
        lines[i] = lines[i].split()[0] + " " + lines[j].split(maxsplit=1)[1]
    elif kind == 4:
        return text[:place]
    else:
        odd = rng.choice([" ", "\t", "\n", "\r", "\x0b", "\u2003", "0", "-", "~", "<s>", "a", ""])
        return text[:place] + odd + text[place + rng.randrange(2) :]
    return "".join(lines)


def test_nothing_that_kaldi_refuses_is_accepted(folder: Path) -> None:
    rng = random.Random(0)
    tables = {path: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}
    refused = 0
    for _ in range(25):
        path, text = rng.choice(list(tables.items()))
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(damage_at_random(text, rng))
        complaint = kaldi_checks.validate(folder)
        if complaint != "valid":
            refused += 1
            with pytest.raises(ValueError, match=f"^{re.escape(str(folder))}/[^\n]*$"):
                validate_data_dir(folder)
        path.write_text(text, encoding="utf-8")
    assert refused > 12
    validate_data_dir(folder)


def test_a_directory_written_by_kaldi_itself_is_accepted(folder: Path) -> None:
    """It ends some lines with a space, and its users may separate by tabs."""
    for name, old, new in (("utt2spk", " ", "\t"), ("spk2utt", "\n", " \n"), ("text", "\n", " \n")):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    assert kaldi_checks.validate(folder) == "valid"
    validate_data_dir(folder)


@pytest.mark.parametrize("change", [lambda line: f" {line}", lambda line: f"\t{line} "])
def test_blanks_around_a_line_are_taken_where_kaldi_takes_them(
    folder: Path, change: Callable[[str], str]
) -> None:
    """In utt2spk only before a speaker's first line, where the order stays that of sort."""
    for name in ("spk2utt", "wav.scp", "text", "utt2dur", "utt2num_frames", "spk2gender"):
        edit(name, lambda lines: [*lines[:2], change(lines[2]), *lines[3:]])(folder)
    edit("utt2spk", lambda lines: [f" {lines[0]}", *lines[1:]])(folder)
    assert kaldi_checks.validate(folder) == "valid"
    validate_data_dir(folder)


@pytest.mark.parametrize("name", ALL_TABLES)
def test_a_byte_order_mark_is_named_in_every_table(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(f"\ufeff{text}", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"/{name}, line 1: a byte order mark, .*sed"):
        validate_data_dir(folder)
