"""Makers of tiny speech-like audio, and of corpora of it, for the tests of stages 0 and 1."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system.locks import LOCK

RATE = 16000
EXPERIMENT: Experiment = read_experiment(Path(__file__).parents[2] / "conf/embedded.yaml")


def make_speech(seed: int, seconds: float = 0.4, rate: int = RATE) -> np.ndarray:
    """Syllables of 140 ms of a harmonic voice, pauses of 60 ms, faint noise; float32 within +-1."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(90, 250)
    voice = np.zeros(len(times))
    for harmonic in range(1, int(min(4000, rate / 2) / pitch)):
        phase = rng.uniform(0, 2 * np.pi)
        voice += np.sin(2 * np.pi * harmonic * pitch * times + phase) / harmonic
    noise = 1e-3 * rng.standard_normal(len(times))
    return (0.1 * voice * (times % 0.2 < 0.14) + noise).astype(np.float32)


def write_audio(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """Write samples, shape (num_samples,) or (num_samples, channels), in the form of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def write_speech(folder: Path, names: Sequence[str], seed: int = 0) -> list[Path]:
    """Write a different short utterance, 0.25 to 0.4 s, to each of `names` below `folder`."""
    return [
        write_audio(folder / name, make_speech(seed + i, 0.25 + 0.01 * (i % 16)))
        for i, name in enumerate(names)
    ]


def make_utterances(
    folder: Path, prefix: str = "spk", num_speakers: int = 3, per_speaker: int = 2
) -> list[Utterance]:
    """Write utterances `<prefix><i>-<j>` as WAV and FLAC in turn; odd speakers are female."""
    names = [
        f"{prefix}{i}/{j}.{'flac' if j % 2 else 'wav'}"
        for i in range(num_speakers)
        for j in range(per_speaker)
    ]
    utterances = []
    for path in write_speech(folder, names):
        speaker = path.parent.name
        sex = "f" if int(speaker.removeprefix(prefix)) % 2 else "m"
        key, info = f"{speaker}-{path.stem}", read_info(path)
        entry = wav_entry(path, info)
        utterances.append(Utterance(key, speaker, entry, info, sex, "some words"))
    return utterances


def snapshot(folder: Path) -> Mapping[str, bytes | None]:
    """All that lies below a folder, to compare before with after; None stands for a folder.

    Without files of locks, which last as long as the process that took them.
    """
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
        if path.name != LOCK
    }
