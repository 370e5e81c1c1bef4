"""Tiny data directories with features but no audio, and an experiment of their size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deep_speaker.config import Experiment
from deep_speaker.features.extraction import write_options
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.features.shards import ARCHIVES
from deep_speaker.kaldi.archives import ArchiveWriter, write_scp
from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.kaldi.tables import write_table

MELS = 16

EXPERIMENT: dict[str, dict[str, Any]] = {
    "features": {"num_mels": MELS, "compression": "none"},
    "normalisation": {"mean": "utterance", "scale": 3},
    "network": {"name": "rescnn", "channels": [4, 8], "blocks_per_stage": 1, "embedding_dim": 8},
    "held_out": {"speaker_share": 0.4},
    "pretraining": {
        "loss": {"name": "softmax", "scale": 10},
        "chunk_frames": 24,
        "speakers_per_batch": 6,
        "utterances_per_speaker": 2,
        "epochs": 3,
        "steps_per_epoch": 5,
        "optimiser": {"name": "adamw"},
        "schedule": {"shape": "cosine", "initial": 0.02, "final": 0, "warmup_share": 0.1},
        "augmentation": {"equaliser_db": 1, "time_mask_frames": 4},
    },
    "finetuning": {
        "loss": {"name": "triplet", "negatives": ["random", "semi_hard", "hard"]},
        "chunk_frames": 24,
        "speakers_per_batch": 4,
        "utterances_per_speaker": 3,
        "epochs": 3,
        "steps_per_epoch": 4,
        "optimiser": {"name": "sgd", "momentum": 0.9},
        "schedule": {"shape": "linear", "initial": 0.01, "final": 0.001},
    },
}


def make_experiment(**sections: Any) -> Experiment:
    """The tiny experiment, with keys of its sections replaced: `network={"embedding_dim": 4}`."""
    content: dict[str, Any] = {name: dict(section) for name, section in EXPERIMENT.items()}
    for name, value in sections.items():
        content[name] = content.get(name, {}) | value if isinstance(value, dict) else value
    return Experiment.model_validate(content)


def write_experiment(path: Path, experiment: Experiment) -> Path:
    path.write_text(yaml.safe_dump(experiment.model_dump(mode="json")))
    return path


def make_frames(
    num_speakers: int = 8, num_utterances: int = 5, num_frames: int = 80, seed: int = 0
) -> dict[str, np.ndarray]:
    """Log-mel frames (frames, mels) by utterance, of `num_frames` up to half as many again.

    What tells speakers apart is the shape in which the lower half of the spectrum sways from frame
    to frame. The upper half sways more, in a shape that differs from utterance to utterance. Both
    stay when the utterance's mean is taken away.
    """
    rng = np.random.default_rng(seed)
    frames = {}
    for speaker in range(num_speakers):
        of_speaker = rng.normal(0, 1.5, (2, MELS // 2))
        for utterance in range(num_utterances):
            count = num_frames + int(rng.integers(num_frames // 2 + 1))
            swaying = np.repeat(rng.normal(0, 1, (count // 4 + 1, 2)), 4, axis=0)[:count]
            of_utterance = rng.normal(0, 1.5, (2, MELS // 2))
            shapes = np.concatenate([of_speaker, of_utterance], axis=1)
            channel = rng.normal(8, 1, MELS)
            noise = rng.normal(0, 0.5, (count, MELS))
            frames[f"s{speaker:02}-{utterance}"] = channel + swaying @ shapes + noise
    return {key: values.astype(np.float32) for key, values in frames.items()}


def write_features(
    folder: Path,
    frames: Mapping[str, np.ndarray],
    experiment: Experiment,
    voiced: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write what stage 1 leaves of utterances `<speaker>-<utterance>`; all voiced by default."""
    folder.mkdir(parents=True)
    utt2spk = {key: key.split("-")[0] for key in frames}
    write_table(folder / "utt2spk", utt2spk)
    write_spk2utt(folder / "spk2utt", sorted(utt2spk.items()))
    write_table(folder / "utt2num_frames", {key: len(frames[key]) for key in frames})
    compress = experiment.features.compression == "two_byte"
    writers = {
        name: ArchiveWriter(folder / f"{name}.ark", compress=compress and name == "feats")
        for name in ARCHIVES
    }
    for key, values in frames.items():
        decisions = np.ones(len(values), np.float32) if voiced is None else voiced[key]
        writers["feats"].write(key, values)
        writers["vad"].write(key, decisions.astype(np.float32))
        writers["utt_cmvn"].write(key, cmvn_sums(values[decisions > 0]))
    for name, writer in writers.items():
        with writer:
            write_scp(folder / ARCHIVES[name], writer.scp)
    write_options(folder, experiment)
    return folder
