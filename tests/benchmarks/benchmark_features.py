#!/usr/bin/env python3
"""Audio files to a feature archive, one process of one thread: this recipe beside plain Lhotse.

Both sides decode, compute 64 log-mel bins and write an archive; neither detects voice activity.
Lhotse's side is its recipe for a recording: load_audio, Fbank, KaldiWriter (float32). Ours is
stage 1's: load_audio, compute_frames, ArchiveWriter (Kaldi's 2-byte compression). They take
turns, and the medians of their times are compared. Usage, with a folder of audio:

    . ./path.sh; tests/benchmarks/benchmark_features.py $SPEECH_CORPORA/LibriSpeech/test-other
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from lhotse import Fbank, FbankConfig, Recording
from lhotse.features.io import KaldiWriter
from threadpoolctl import threadpool_limits

from deep_speaker.config import KaldiFilterbank
from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.features.front_ends import compute_frames
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.wav_entries import wav_entry

ROUNDS = 7


def run_lhotse(recordings: list[Recording], folder: Path) -> None:
    extractor = Fbank(FbankConfig(num_filters=64))
    with KaldiWriter(folder) as writer:
        for recording in recordings:
            samples = recording.load_audio()
            writer.write(recording.id, extractor.extract(samples, recording.sampling_rate))


def run_ours(entries: dict[str, str], folder: Path) -> None:
    features = KaldiFilterbank()
    with ArchiveWriter(folder / "feats.ark", compress=True) as writer:
        for key, entry in entries.items():
            samples, _ = load_audio(entry, features.sampling_rate)
            writer.write(key, compute_frames(samples, features)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="searched for audio")
    options = parser.parse_args()
    threadpool_limits(1)
    torch.set_num_threads(1)
    paths = list(AudioFolder(options.folder).audio([options.folder]))
    infos = {path: read_info(path) for path in paths}
    entries = {path.stem: wav_entry(path, info) for path, info in infos.items()}
    recordings = [Recording.from_file(path) for path in paths]
    seconds: dict[str, list[float]] = {"lhotse": [], "ours": []}
    for _ in range(ROUNDS):
        for name in seconds:
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                if name == "ours":
                    run_ours(entries, Path(folder))
                else:
                    run_lhotse(recordings, Path(folder))
                seconds[name].append(time.perf_counter() - start)
    audio = sum(info.duration for info in infos.values())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{len(paths)} files, {audio / 60:.1f} minutes, median of {ROUNDS} rounds")
    for name, median in medians.items():
        print(f"{name}: {median:.3f} s, {audio / median:.0f} times real time")
    print(f"ratio: {medians['lhotse'] / medians['ours']:.2f}")


if __name__ == "__main__":
    main()
