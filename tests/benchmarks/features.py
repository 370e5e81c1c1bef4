#!/usr/bin/env python3
"""Stage 1, audio files to arks, one process of one thread: this recipe beside others.

- `run_stage` does all of stage 1's work on the files: features, voice activity, CMVN sums, Kaldi's
  2-byte compression.
- `run_plain` decodes, computes features and writes them, compressed: what the others do.
- `run_lhotse` is Lhotse's recipe: load_audio, Fbank, KaldiWriter (float32).
- `run_kaldi` is Kaldi's own arithmetic, kaldi_native_fbank, frame by frame, written as float32.
- `decode` only decodes: the limit.

They take turns; the medians of their processor times are compared. Usage, with a folder of audio:

    . ./path.sh; tests/benchmarks/features.py $SPEECH_CORPORA/LibriSpeech/test-other
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import soundfile
import torch
from lhotse import Fbank, FbankConfig
from lhotse import Recording as LhotseRecording
from lhotse.features.io import KaldiWriter
from threadpoolctl import threadpool_limits

from deep_speaker.config import Experiment, KaldiFilterbank
from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.features.front_ends import compute_in_pieces
from deep_speaker.features.shards import Recording, write_shard
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.audio import open_audio, read_info, read_pieces
from deep_speaker.kaldi.wav_entries import wav_entry

ROUNDS = 7
NUM_MELS = 64
EXPERIMENT = Experiment.model_validate(
    {"pretraining": {"loss": {"name": "softmax"}}, "features": {"num_mels": NUM_MELS}}
)


def run_stage(files: Sequence[Path], folder: Path) -> None:
    recordings = [
        Recording(path.stem, wav_entry(path, read_info(path)), None, [(path.stem, None)])
        for path in files
    ]
    shard = write_shard(folder, EXPERIMENT, 1, recordings)
    assert len(shard.num_frames) + len(shard.silent) == len(files)


def run_plain(files: Sequence[Path], folder: Path) -> None:
    features = KaldiFilterbank(num_mels=NUM_MELS)
    with ArchiveWriter(folder / "feats.ark", compress=True) as writer:
        for path in files:
            with open_audio(str(path.absolute())) as file:
                pieces = read_pieces(file, features.sampling_rate)
                writer.write(path.stem, compute_in_pieces(pieces, features)[0])


def run_lhotse(files: Sequence[Path], folder: Path) -> None:
    extractor = Fbank(FbankConfig(num_filters=NUM_MELS))
    with KaldiWriter(folder) as writer:
        for path in files:
            recording = LhotseRecording.from_file(path)
            samples = recording.load_audio()
            writer.write(recording.id, extractor.extract(samples, recording.sampling_rate))


def run_kaldi(files: Sequence[Path], folder: Path) -> None:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = NUM_MELS
    options.mel_opts.high_freq = -400
    with ArchiveWriter(folder / "feats.ark") as writer:
        for path in files:
            samples, rate = soundfile.read(path, dtype="float32")
            computer = kaldi_native_fbank.OnlineFbank(options)
            computer.accept_waveform(rate, samples * np.float32(32768))
            computer.input_finished()
            frames = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
            writer.write(path.stem, np.stack(frames))


def decode(files: Sequence[Path], folder: Path) -> None:
    for path in files:
        soundfile.read(path, dtype="float32")


SIDES: dict[str, Callable[[Sequence[Path], Path], None]] = {
    "stage 1": run_stage,
    "features alone": run_plain,
    "Lhotse": run_lhotse,
    "kaldi_native_fbank": run_kaldi,
    "decode alone": decode,
}


def find_audio(folder: Path) -> list[Path]:
    """Return the audio files in a folder of 16 kHz speech."""
    return list(AudioFolder(folder).audio([folder]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="searched for audio of 16 kHz, one channel")
    options = parser.parse_args()
    threadpool_limits(1)
    torch.set_num_threads(1)
    files = find_audio(options.folder)
    audio = sum(read_info(path).duration for path in files)
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(ROUNDS + 1):  # the first warms up
        for name, run in SIDES.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.process_time()
                run(files, Path(folder))
                if number:
                    seconds[name].append(time.process_time() - start)
    print(f"{len(files)} files, {audio / 60:.1f} minutes, median of {ROUNDS} rounds")
    for name, times in seconds.items():
        ratios = [mine / other for mine, other in zip(seconds["stage 1"], times, strict=True)]
        print(
            f"{name:20}{audio / statistics.median(times):6.0f} times real time, "
            f"stage 1 takes {statistics.median(ratios):.2f} times as long"
        )


if __name__ == "__main__":
    main()
