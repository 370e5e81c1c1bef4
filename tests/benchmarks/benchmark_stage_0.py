#!/usr/bin/env python3
"""Time and memory of stage 0 on generated Lhotse manifests of many utterances, without audio.

Ids, speakers and utterances per speaker are like VoxCeleb2's (200 of each speaker, 5 of each
video); 4,000 utterances of 100 further speakers test.

    . ./path.sh; tests/benchmarks/benchmark_stage_0.py 10000 100000 1000000
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from lhotse import AudioSource, Recording, RecordingSet, SupervisionSegment, SupervisionSet

ROOT = Path(__file__).parents[2]
PER_SPEAKER, PER_VIDEO = 200, 5
TEST_SPEAKERS, PER_TEST_SPEAKER = 100, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, help="numbers of training utterances")
    for size in parser.parse_args().sizes:
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_manifests(folder / "train", size, PER_SPEAKER, 0)
            write_manifests(folder / "test", TEST_SPEAKERS * PER_TEST_SPEAKER, PER_TEST_SPEAKER, 9)
            seconds = prepare(folder)
        # Peaks of all children so far: give sizes in rising order.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{size} utterances: {seconds:.1f} s, peak memory {peak:.0f} MB", flush=True)


def write_manifests(folder: Path, size: int, per_speaker: int, first: int) -> None:
    folder.mkdir()
    with (
        RecordingSet.open_writer(folder / "recordings.jsonl.gz") as recordings,
        SupervisionSet.open_writer(folder / "supervisions.jsonl.gz") as supervisions,
    ):
        for key, speaker, samples in generate(size, per_speaker, first):
            path = f"/data/voxceleb2/dev/wav/{key.replace('-', '/')}.wav"
            seconds = samples / 16000
            source = AudioSource("command", [0], f"cat {path}")  # stage 0 does not run it
            recordings.write(Recording(key, [source], 16000, samples, seconds, [0]))
            supervisions.write(
                SupervisionSegment(key, key, 0, seconds, 0, speaker=speaker, gender="f")
            )


def generate(size: int, per_speaker: int, first: int) -> Iterator[tuple[str, str, int]]:
    for i in range(size):
        speaker = f"id{first}{i // per_speaker:05d}"
        video = f"v{i % per_speaker // PER_VIDEO:010d}"
        yield f"{speaker}-{video}-{i % PER_VIDEO:05d}", speaker, 128000 + i % 1000


def prepare(folder: Path) -> float:
    start = time.monotonic()
    subprocess.run(
        [
            sys.executable, ROOT / "local/prepare_lhotse.py", folder / "data",
            "--train-dir", folder / "train", "--test-dir", folder / "test",
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - start


if __name__ == "__main__":
    main()
