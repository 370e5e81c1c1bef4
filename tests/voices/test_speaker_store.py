"""The store of speakers: names, races, duplicates, other models, damage."""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.system.processes import CONTEXT
from deep_speaker.voices.speaker_store import SpeakerStore
from support.voice_models import unit

NAMES = [
    "ana", "Ana Müller", "../../etc/passwd", "a/b", "a b", "a-b", "李雷", "😀", "👩‍🔬", ".hidden",
    "CON", "con", "-rf", "n" * 500, "O'Neil \"x\" $HOME `x`",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> SpeakerStore:
    return SpeakerStore(tmp_path / "voices", "0123456789abcdef", "models/small")


def random_unit(seed: int, dim: int = 8) -> np.ndarray:
    return unit(*np.random.default_rng(seed).normal(size=dim))


def test_speakers_come_back_as_they_were_enrolled(store: SpeakerStore) -> None:
    vectors = np.stack([random_unit(0), random_unit(1)])
    assert store.add("bo", vectors, ["1.wav", "2.flac"]) == [True, True]
    store.add("ana", vectors[:1], ["3.wav"])
    store.add("bo", random_unit(2)[None], ["4.wav"])
    ana, bo = store.speakers()
    assert (ana.name, bo.name) == ("ana", "bo")
    assert np.array_equal(bo.vectors, [*vectors, random_unit(2)])
    assert bo.vectors.dtype == np.float32
    assert bo.sources == ["1.wav", "2.flac", "4.wav"]
    assert (bo.model_id, bo.model_name) == ("0123456789abcdef", "models/small")


def test_what_a_mac_writes_beside_a_speaker_is_nobody(store: SpeakerStore) -> None:
    store.add("ana", random_unit(0)[None], ["1.wav"])
    [path] = store.folder.glob("*.json")
    path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7 a Mac's")
    assert [speaker.name for speaker in store.speakers()] == ["ana"]


def test_names_of_any_letters_have_safe_files_of_their_own(store: SpeakerStore) -> None:
    for seed, name in enumerate(NAMES):
        store.add(name, random_unit(seed)[None], ["a.wav"])
    found = {speaker.name: speaker.vectors[0] for speaker in store.speakers()}
    assert found.keys() == set(NAMES)
    for seed, name in enumerate(NAMES):
        assert np.array_equal(found[name], random_unit(seed))
    files = [path.name for path in store.folder.iterdir() if path.name != ".lock"]
    assert len({name.lower() for name in files}) == len(NAMES)  # for disks that ignore case
    assert all(name.isascii() and len(name) < 80 for name in files)
    assert [path.name for path in store.folder.parent.iterdir()] == ["voices"]


def test_one_name_typed_in_two_ways_is_one_speaker(store: SpeakerStore) -> None:
    store.add(" Andr\u00e9  B", random_unit(0)[None], ["a.wav"])
    store.add("Andre\u0301 B ", random_unit(1)[None], ["b.wav"])
    (speaker,) = store.speakers()
    assert (speaker.name, len(speaker.vectors)) == ("Andr\u00e9 B", 2)


@pytest.mark.parametrize("name", ["", "  ", "\x1b[31mred", "\udcff"])
def test_names_that_nobody_can_read_are_refused(store: SpeakerStore, name: str) -> None:
    with pytest.raises(ValueError, match=r"speaker name .*: take at least one letter"):
        store.add(name, random_unit(0)[None], ["a.wav"])


def test_a_recording_counts_once(store: SpeakerStore) -> None:
    one, other = random_unit(0), random_unit(1)
    assert store.add("ana", np.stack([one, one, other]), ["a", "a again", "b"]) == [
        True, False, True
    ]  # fmt: skip
    nearly = unit(*(one + 1e-5))  # as another processor rounds
    assert store.add("ana", np.stack([nearly]), ["a on a GPU"]) == [False]
    assert store.speakers()[0].sources == ["a", "b"]


def add_one_by_one(store: SpeakerStore, first: int) -> None:
    for seed in range(first, first + 10):
        store.add("ana", random_unit(seed)[None], [f"{seed}.wav"])
        time.sleep(0.001)  # let the others in between


def test_processes_that_add_to_one_speaker_lose_nothing(store: SpeakerStore) -> None:
    with ProcessPoolExecutor(4, CONTEXT) as pool:
        running = [pool.submit(add_one_by_one, store, 10 * number) for number in range(4)]
        while not all(each.done() for each in running):
            if store.folder.is_dir():
                store.speakers()  # whole, whenever it is read
        for each in running:
            each.result()
    (speaker,) = store.speakers()
    assert sorted(speaker.sources) == sorted(f"{seed}.wav" for seed in range(40))


def test_rename_and_remove_take_kept_recordings_along(store: SpeakerStore, tmp_path: Path) -> None:
    recording = tmp_path / "x.WAV"
    recording.write_bytes(b"RIFF")
    store.add("ana", random_unit(0)[None], ["x.WAV"])
    store.add("ana 2", random_unit(1)[None], ["y.wav"])
    store.keep_audio("ana", recording)
    store.rename("ana", "Ana Müller")
    assert [speaker.name for speaker in store.speakers()] == ["Ana Müller", "ana 2"]
    (kept,) = store.folder.glob("*.wav")
    assert kept.name.startswith("Ana-M-ller-")
    assert kept.read_bytes() == b"RIFF"
    store.remove("Ana Müller")
    assert [speaker.name for speaker in store.speakers()] == ["ana 2"]
    assert len(list(store.folder.iterdir())) == 2  # the lock too


def test_audio_is_not_kept_unasked_and_the_folder_is_private(store: SpeakerStore) -> None:
    store.add("ana", random_unit(0)[None], ["a.wav"])
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.suffix for path in store.folder.iterdir()) == ["", ".json"]


def test_who_is_not_there_or_there_already_is_said(store: SpeakerStore) -> None:
    with pytest.raises(ValueError, match="voices: no such folder of speakers"):
        store.speakers()
    with pytest.raises(ValueError, match="no such folder of speakers"):
        store.remove("ana")
    store.add("ana", random_unit(0)[None], ["a.wav"])
    store.add("bo", random_unit(1)[None], ["a.wav"])
    with pytest.raises(ValueError, match="no speaker ann: enrolled are ana, bo"):
        store.remove("ann")
    with pytest.raises(ValueError, match="bo is enrolled already"):
        store.rename("ana", "bo")
    assert len(store.speakers()) == 2


def test_a_store_of_another_model_is_refused_in_one_line(store: SpeakerStore) -> None:
    store.add("ana", random_unit(0)[None], ["a.wav"])
    other = SpeakerStore(store.folder, "fedcba9876543210", "models/other")
    message = r"model models/small \(0123456789abcdef\).* models/other \(fedcba9876543210\)"
    with pytest.raises(ValueError, match=message) as caught:
        other.speakers()
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=message):
        other.add("bo", random_unit(1)[None], ["b.wav"])
    any_model = SpeakerStore(store.folder)
    assert [speaker.name for speaker in any_model.speakers()] == ["ana"]
    any_model.rename("ana", "bo")
    assert store.speakers()[0].model_id == "0123456789abcdef"


DAMAGED = {
    "cut short": lambda text: text[:-40],
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "another version": lambda text: text.replace('"format_version": 1', '"format_version": 2'),
    "no model": lambda text: text.replace('"model"', '"modell"'),
    "another name": lambda text: text.replace('"ana"', '"bo"'),
    "not base64": lambda text: text.replace('"vector": "', '"vector": "?'),
    "another vector": lambda text: json.dumps(
        json.loads(text) | {"examples": [{"source": "a", "vector": "AACAPwAAgD8="}]}
    ),
    "no examples": lambda text: json.dumps(json.loads(text) | {"examples": []}),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_by_name_and_can_be_removed(store: SpeakerStore, damage) -> None:  # type: ignore[no-untyped-def]
    store.add("ana", random_unit(0)[None], ["a.wav"])
    (path,) = store.folder.glob("*.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=f"{path}: .*: remove it, and enrol the speaker anew$"):
        store.speakers()
    store.remove("ana")
    assert store.speakers() == []
