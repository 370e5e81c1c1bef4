"""Lhotse manifests of other recipes."""

from collections.abc import Iterable
from pathlib import Path

from lhotse import AudioSource, CutSet, Recording, SupervisionSegment
from lhotse.cut import MonoCut

from support.lhotse_parts import make_recording, write_part
from support.real_inputs.cases import Words, case
from support.speech import make_speech, write_audio
from support.spoiled_audio import write_second_channel

TRAIN, TEST = ("a", "b", "c", "d"), ("e", "f")


def make_recordings(folder: Path, names: Iterable[str], seconds: float = 2) -> list[Recording]:
    return [
        make_recording(write_audio(folder / f"audio/{name}.wav", make_speech(i, seconds)), name)
        for i, name in enumerate(f"{name}{j}" for name in names for j in (0, 1))
    ]


def supervise(recordings: Iterable[Recording], channel: int = 0) -> list[SupervisionSegment]:
    return [
        SupervisionSegment(f"{r.id}-s", r.id, 0, r.duration, channel, speaker=r.id[0])
        for r in recordings
    ]


def write_sets(folder: Path, recordings: list[Recording]) -> Words:
    for part, names in (("train", TRAIN), ("test", TEST)):
        own = [each for each in recordings if each.id[0] in names]
        write_part(folder / "manifests", part, own, supervise(own))
    return ["--corpus-dir", folder / "manifests"]


@case("lhotse", 12, r"first a-a0-s with 2\.000 s instead of 3")
def a_command_whose_length_is_wrong(folder: Path) -> Words:
    recordings = make_recordings(folder, TRAIN + TEST)
    first = recordings[0]
    path = first.sources[0].source
    recordings[0] = Recording(
        first.id, [AudioSource("command", [0], f"cat {path}")], 16000, 48000, 3.0
    )
    return write_sets(folder, recordings)


def write_cuts(folder: Path, cuts: Iterable[MonoCut], part: str) -> None:
    (folder / "manifests").mkdir(exist_ok=True)
    CutSet.from_cuts(cuts).to_file(folder / f"manifests/tiny_cuts_{part}.jsonl.gz")


@case("lhotse", 24)
def windows_of_cuts(folder: Path) -> Words:
    for part, names in (("train", TRAIN), ("test", TEST)):
        recordings = make_recordings(folder, names)
        cuts = CutSet.from_cuts(
            MonoCut(f"cut-{r.id}", 0, r.duration, 0, [s], recording=r)
            for r, s in zip(recordings, supervise(recordings), strict=True)
        )
        write_cuts(folder, cuts.cut_into_windows(1), part)
    return ["--corpus-dir", folder / "manifests"]


@case("lhotse", 24)
def speakers_of_a_meeting_who_overlap(folder: Path) -> Words:
    for part, names in (("train", TRAIN), ("test", TEST)):
        recordings = make_recordings(folder, names)
        overlapping = [
            SupervisionSegment(f"{r.id}-{who}", r.id, start, 1.02, 0, speaker=f"{r.id[0]}{who}")
            for r in recordings
            for who, start in (("x", 0.0), ("y", 0.98))
        ]
        write_part(folder / "manifests", part, recordings, overlapping)
    return ["--corpus-dir", folder / "manifests"]


@case("lhotse", 12)
def supervisions_of_the_second_channel(folder: Path) -> Words:
    for part, names in (("train", TRAIN), ("test", TEST)):
        recordings = []
        for i, name in enumerate(f"{name}{j}" for name in names for j in (0, 1)):
            path = write_second_channel(folder / f"audio/{name}.wav", i)
            source = [AudioSource("file", [0, 1], str(path))]
            recordings.append(make_recording(path, name, sources=source, channel_ids=[0, 1]))
        write_part(folder / "manifests", part, recordings, supervise(recordings, 1))
    return ["--corpus-dir", folder / "manifests"]
