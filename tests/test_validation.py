"""Data directories that Kaldi would refuse are refused, with the file and the key named."""

from collections.abc import Callable
from pathlib import Path

import pytest

import kaldi_checks
from deep_speaker.data_dir import write_data_dir
from deep_speaker.validation import validate_data_dir
from kaldi_folders import SPEAKERS, make_segments, make_utterances, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path, make_utterances(SPEAKERS))


def test_a_speaker_who_is_no_prefix_is_refused(tmp_path: Path) -> None:
    utterances = make_utterances({"b": ["1-b"], "a": ["2-a"]})
    with pytest.raises(ValueError, match=r"utt2spk: not sorted by speaker.*prefix"):
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
    with pytest.raises(ValueError, match=f"/({named})"):
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
    with pytest.raises(ValueError, match=r"/(segments|wav\.scp|reco2dur)"):
        validate_data_dir(tmp_path)


@pytest.mark.parametrize("value", ["1.2.3", "x", "nan", "inf"])
def test_a_duration_is_a_number_though_kaldi_lets_others_pass(folder: Path, value: str) -> None:
    edit("utt2dur", set_value("1e+02"))(folder)
    validate_data_dir(folder)
    edit("utt2dur", set_value(value))(folder)
    with pytest.raises(ValueError, match=f"utt2dur: '19-198-0000' has '{value}', not a number"):
        validate_data_dir(folder)
