"""Stage 1, audio files to arks, on one thread: this recipe beside others.

- `run_stage` does all of stage 1's work on the files: features, voice activity, CMVN sums, Kaldi's
  2-byte compression.
- `run_plain` decodes, computes features and writes them, compressed: what the others do.
- `run_lhotse` is Lhotse's recipe: load_audio, Fbank, KaldiWriter (float32).
- `run_kaldi` is Kaldi's own arithmetic, kaldi_native_fbank, frame by frame, written as float32.
- `decode` only decodes: the limit.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import soundfile
import torch
from lhotse import Fbank, FbankConfig
from lhotse import Recording as LhotseRecording
from lhotse.features.io import KaldiWriter
from threadpoolctl import threadpool_limits

from benchmarks.comparison import OURS, Comparison, Side, compare
from deep_speaker.config import Experiment, KaldiFilterbank
from deep_speaker.corpora.audio_files import AudioFolder
from deep_speaker.features.front_ends import compute_in_pieces
from deep_speaker.features.shards import Recording, write_shard
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.audio import open_audio, read_info, read_pieces
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system.processes import map_in_processes

RATE = 16000
NOISE_FILES, NOISE_SECONDS = 40, 8
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


def compare_all(scratch: Path) -> list[Comparison]:
    """Compare stage 1 with others on FLAC and on WAV, and two processes with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    files = find_audio(scratch)
    waves = [_as_wave(path, scratch) for path in files]
    with threadpool_limits(1):
        found = [
            _compare(files, scratch, run_stage, "FLAC to arks, voice activity, CMVN", 0.55),
            _compare(files, scratch, run_plain, "FLAC to arks, features alone", 0.55),
            _compare(waves, scratch, run_stage, "WAV to arks, voice activity, CMVN", None),
            _compare_processes(files, scratch),
        ]
    torch.set_num_threads(threads)
    return found


def _compare(
    files: Sequence[Path],
    scratch: Path,
    ours: Callable[[Sequence[Path], Path], None],
    work: str,
    of_decoding: float | None,
) -> Comparison:
    seconds = sum(read_info(path).duration for path in files)
    sides = {
        OURS: Side(lambda: ours(files, scratch), seconds),
        "Lhotse": Side(lambda: run_lhotse(files, scratch), seconds, 1.5),
        "kaldi_native_fbank": Side(lambda: run_kaldi(files, scratch), seconds, 1),
        "decoding alone": Side(lambda: decode(files, scratch), seconds, of_decoding),
    }
    return compare("1", f"{work}, 1 process", "s of speech", sides)


def _compare_processes(files: Sequence[Path], scratch: Path) -> Comparison:
    seconds = sum(read_info(path).duration for path in files)

    def run(number: int) -> None:
        work = partial(_run_in_process, files, scratch)
        list(map_in_processes(work, range(number), number))

    sides = {
        OURS: Side(lambda: run(2), 8 * seconds),
        "1 process": Side(lambda: run(1), 4 * seconds, 1.8),
    }
    return compare("1", "FLAC to arks, 2 processes", "s of speech", sides)


def _run_in_process(files: Sequence[Path], scratch: Path, number: int) -> None:
    folder = scratch / str(number)
    folder.mkdir(exist_ok=True)
    for _ in range(4):  # the start of a process is no part of its speed
        run_stage(files, folder)


def find_audio(scratch: Path) -> list[Path]:
    """Return some minutes of real speech, or of noise, which decodes slowly, as FLAC."""
    corpora = os.environ.get("SPEECH_CORPORA")
    if corpora:
        folder = Path(corpora) / "LibriSpeech" / "test-other"
        return list(AudioFolder(folder).audio([folder]))
    rng = np.random.default_rng(0)
    files = [scratch / f"noise{number}.flac" for number in range(NOISE_FILES)]
    for path in files:
        soundfile.write(path, rng.normal(0, 0.05, RATE * NOISE_SECONDS), RATE)
    return files


def _as_wave(path: Path, scratch: Path) -> Path:
    wave = scratch / f"{path.stem}.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(wave, samples, rate)
    return wave
