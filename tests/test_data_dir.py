"""Kaldi tables: written as Kaldi wants them, and refused where Kaldi would refuse them."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import kaldi_checks
from deep_speaker.audio import AudioInfo, file_of_entry
from deep_speaker.corpus import safe_id
from deep_speaker.data_dir import (
    Utterance,
    group_by_speaker,
    read_table,
    remove_utterances,
    validate_data_dir,
    write_data_dir,
    write_table,
)
from speech import snapshot

INFO = AudioInfo(16000, 24000, 1, "FLAC", "PCM_16")

# LibriSpeech's 19 and 198, and 'ab' and 'a_b', are in another order with and without the dash.
# The last two are in another order in UTF-16.
SPEAKERS = {
    "19": ["19-198-0000", "19-198-0001", "19-227-0000"],
    "198": ["198-209-0000", "198-19-0000"],
    "ab": ["ab-1", "ab-10", "ab-2"],
    "a_b": ["a_b-1"],
    "a.b": ["a.b-1"],
    "Łukasz": ["Łukasz-é1", "Łukasz-e1"],
    "李": ["李-1"],
    "\uff21": ["\uff21-1"],
    "\U00010400": ["\U00010400-1"],
}


def make_utterances(speakers: dict[str, list[str]]) -> list[Utterance]:
    utterances = [
        Utterance(key, speaker, Path(f"/speech/{key} (take).flac"), INFO, "mf"[len(key) % 2])
        for speaker, keys in speakers.items()
        for key in keys
    ]
    # One sex per speaker.
    sexes = {item.speaker: item.sex for item in utterances}
    return [replace(item, sex=sexes[item.speaker]) for item in utterances]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory as after stage 1."""
    utterances = make_utterances(SPEAKERS)
    random.Random(0).shuffle(utterances)
    write_data_dir(tmp_path, utterances)
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp"):
        write_table(tmp_path / name, {item.id: f"/ark/{name}.1.ark:7" for item in utterances})
    write_table(tmp_path / "utt2num_frames", {item.id: 150 for item in utterances})
    return tmp_path


def test_what_is_written_is_what_kaldi_accepts(folder: Path) -> None:
    assert kaldi_checks.validate(folder) == "valid"
    validate_data_dir(folder)


def test_what_is_written_is_what_was_given(folder: Path) -> None:
    utterances = make_utterances(SPEAKERS)
    assert read_table(folder / "utt2spk") == {item.id: item.speaker for item in utterances}
    spk2utt = {key: value.split() for key, value in read_table(folder / "spk2utt").items()}
    assert spk2utt == {speaker: sorted(keys) for speaker, keys in SPEAKERS.items()}
    assert read_table(folder / "spk2gender") == {item.speaker: item.sex for item in utterances}
    assert set(map(float, read_table(folder / "utt2dur").values())) == {1.5}
    entries = read_table(folder / "wav.scp")
    assert {key: file_of_entry(entry) for key, entry in entries.items()} == {
        item.id: item.path for item in utterances
    }
    assert (folder / "reco2dur").read_bytes() == (folder / "utt2dur").read_bytes()


def test_any_names_made_safe_give_orders_that_agree(tmp_path: Path) -> None:
    """Two hundred names of characters around the dash, spaces of all kinds, and other scripts."""
    draw = random.Random(1)
    characters = " !#&'()+,-./0a_A~\t\u00a0\u2028\u3000é李ñ\U0001f600\U00010400\uff21"
    names = {safe_id("".join(draw.choices(characters, k=draw.randint(1, 6)))) for _ in range(200)}
    assert len(names) > 100
    write_data_dir(
        tmp_path, make_utterances({name: [f"{name}-{i}" for i in (1, 10, 2)] for name in names})
    )
    assert kaldi_checks.validate(tmp_path) == "valid"


def test_speakers_without_a_known_sex_leave_spk2gender_away(tmp_path: Path) -> None:
    utterances = make_utterances(SPEAKERS)
    write_data_dir(
        tmp_path, [replace(item, sex=None if item.speaker == "19" else "f") for item in utterances]
    )
    assert (tmp_path / "utt2spk").is_file()
    assert not (tmp_path / "spk2gender").exists()


def test_a_speaker_who_is_no_prefix_is_refused(tmp_path: Path) -> None:
    utterances = make_utterances({"b": ["1-b"], "a": ["2-a"]})
    with pytest.raises(ValueError, match=r"utt2spk: not sorted by speaker.*prefix"):
        write_data_dir(tmp_path, utterances)


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


def test_a_missing_table_names_the_stage_that_makes_it(folder: Path) -> None:
    for name, stage in (
        ("wav.scp", 0),
        ("feats.scp", 1),
        ("utt2num_frames", 1),
        ("xvector.scp", 4),
    ):
        (folder / name).unlink(missing_ok=True)
        with pytest.raises(ValueError, match=rf"{name} is missing: run stage {stage} first"):
            read_table(folder / name)
    with pytest.raises(ValueError, match=r"wav\.scp is missing"):
        validate_data_dir(folder)


def test_a_table_may_be_written_by_kaldi_itself(tmp_path: Path) -> None:
    """Kaldi ends lines with a space, and separates by tabs or several spaces."""
    (tmp_path / "table").write_text("a 1 2 \nb\t3\nc   4\n")
    assert read_table(tmp_path / "table") == {"a": "1 2", "b": "3", "c": "4"}


def test_a_bad_line_is_quoted_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("a 1\nb \n")
    with pytest.raises(ValueError, match=r"table, line 2: .*'b \\n'"):
        read_table(tmp_path / "table")
    (tmp_path / "table").write_text("a 1\nb 2\na 3\n")
    with pytest.raises(ValueError, match="table, line 3: 'a' stands there twice"):
        read_table(tmp_path / "table")


def test_removed_utterances_leave_every_table(folder: Path) -> None:
    unwanted = {"李-1", "19-198-0001"}  # the first is all of its speaker
    whole = {path.name: read_table(path) for path in folder.iterdir()}
    remove_utterances(folder, unwanted | {"unknown-1"})
    assert kaldi_checks.validate(folder) == "valid"
    for name, table in whole.items():
        if name != "spk2utt":
            kept = {key: value for key, value in table.items() if key not in unwanted | {"李"}}
            assert read_table(folder / name) == kept
    expected = group_by_speaker(read_table(folder / "utt2spk"))
    assert read_table(folder / "spk2utt") == {key: " ".join(expected[key]) for key in expected}


def test_removing_every_utterance_is_refused_and_changes_nothing(folder: Path) -> None:
    before = snapshot(folder)
    with pytest.raises(ValueError, match="no utterance is left"):
        remove_utterances(folder, set(read_table(folder / "utt2spk")))
    assert snapshot(folder) == before


def test_removal_before_stage_1_makes_no_tables_of_it(folder: Path) -> None:
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames", "spk2gender"):
        (folder / name).unlink()
    present = set(folder.iterdir())
    remove_utterances(folder, {"李-1"})
    assert set(folder.iterdir()) == present
    validate_data_dir(folder)
