"""Tiny data directories with x-vectors but no features, and trial lists as tables."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.embeddings.unit_length import average
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.kaldi.archives import ArchiveWriter, write_scp
from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.kaldi.tables import write_table
from deep_speaker.trials.lists import Trial, write_trials
from deep_speaker.trials.table import TrialTable, read_trial_table


def make_utt2spk(prefix: str, num_speakers: int, num_utterances: int) -> dict[str, str]:
    """Name utterances `<prefix><speaker>-<utterance>` of speakers `<prefix><speaker>`."""
    return {
        f"{prefix}{speaker}-{i}": f"{prefix}{speaker}"
        for speaker in range(num_speakers)
        for i in range(num_utterances)
    }


def make_vectors(utt2spk: Mapping[str, str], seed: int, dim: int = 6) -> dict[str, np.ndarray]:
    """Draw vectors that lie near those of their speaker, of different lengths."""
    rng = np.random.default_rng(seed)
    centres = {speaker: rng.normal(0, 1, dim) for speaker in dict.fromkeys(utt2spk.values())}
    return {
        key: (centres[speaker] + rng.normal(0, 0.7, dim)) * rng.uniform(0.1, 10)
        for key, speaker in utt2spk.items()
    }


def make_crops(
    utt2spk: Mapping[str, str], seed: int = 0, num_crops: int = 5, dim: int = 16
) -> dict[str, np.ndarray]:
    """Draw unit-length crops (crops, dim) that lie near each other within an utterance."""
    rng = np.random.default_rng(seed)
    crops = rng.normal(0, 1, (len(utt2spk), 1, dim)) + rng.normal(0, 0.3, (1, num_crops, dim))
    crops /= np.linalg.norm(crops, axis=2, keepdims=True)
    return dict(zip(utt2spk, crops.astype(np.float32), strict=True))


def write_crop_vectors(
    folder: Path, crops: Mapping[str, np.ndarray], utt2spk: Mapping[str, str]
) -> Path:
    """Write an x-vector directory as stage 4 does for the back end `crop_distance`."""
    write_xvectors(folder, {key: values.mean(axis=0) for key, values in crops.items()}, utt2spk)
    write_crops(folder, reversed(list(crops.items())))  # in the order of their lengths, on a GPU
    write_spk2utt(folder / "spk2utt", sorted(utt2spk.items()))
    return folder


def write_crops(folder: Path, crops: Iterable[tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Write crops as one ark, and return their averages."""
    vectors = {}
    with ArchiveWriter(folder / "xvector_crops.ark") as writer:
        for key, values in crops:
            writer.write(key, values)
            vectors[key] = average(values)
    write_scp(folder / "xvector_crops.scp", writer.scp)
    return vectors


def write_data_dir(folder: Path, utt2spk: Mapping[str, str]) -> Path:
    write_table(folder / "utt2spk", utt2spk)
    write_spk2utt(folder / "spk2utt", sorted(utt2spk.items()))
    return folder


def make_table(path: Path, trials: Sequence[Trial]) -> TrialTable:
    """Return trials as a table, by way of a list."""
    write_trials(path, trials)
    return read_trial_table(path)


def parse_scores(path: Path) -> dict[tuple[str, str], float]:
    """Return the scores of a file by enrolled and tested name."""
    lines = [line.split(" ") for line in path.read_text().splitlines()]
    return {(enroll, test): float(score) for enroll, test, score in lines}
