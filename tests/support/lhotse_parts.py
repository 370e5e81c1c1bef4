"""Lhotse manifests of tiny parts of a corpus, with their audio."""

from pathlib import Path
from typing import Any

from lhotse import AudioSource, Recording, RecordingSet, SupervisionSegment, SupervisionSet

from deep_speaker.kaldi.audio import read_info
from support.speech import write_speech


def make_recording(path: Path, key: str, **changes: Any) -> Recording:
    info = read_info(path)
    values: dict[str, Any] = {
        "id": key,
        "sources": [AudioSource("file", [0], str(path))],
        "sampling_rate": info.sampling_rate,
        "num_samples": info.num_samples,
        "duration": info.duration,
    }
    return Recording(**values | changes)


def make_part(part: str, audio: Path) -> tuple[list, list]:
    """Four speakers, a recording of one utterance each, and one of two; ids without speakers."""
    recordings, supervisions = [], []
    for i in range(4):
        names = [f"{part}-{i}/{j}.wav" for j in (0, 1)]
        speaker = f"{part} {i}"  # with a space, which no Kaldi id holds
        sex = ("male", "F", "f", "M")[i]
        for j, path in enumerate(write_speech(audio, names, seed=10 * i)):
            recordings.append(make_recording(path, f"{part}-{i}-{j}"))
            for k, (start, end) in enumerate([(0, 0.1), (0.1, 0.2)] if j else [(0, None)]):
                duration = end - start if end else recordings[-1].duration
                key, recording = f"{i}{j}{k}", recordings[-1].id
                supervisions.append(
                    SupervisionSegment(
                        key, recording, start, duration, 0, "a b", "en", speaker, sex
                    )
                )
    return recordings, supervisions


def write_part(folder: Path, name: str, recordings: list, supervisions: list) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    RecordingSet.from_recordings(recordings).to_file(folder / f"tiny_recordings_{name}.jsonl.gz")
    SupervisionSet.from_segments(supervisions).to_file(
        folder / f"tiny_supervisions_{name}.jsonl.gz"
    )
