"""Teachers of tiny students: checkpoints, and embeddings of pieces as they would write them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.corpora.sorted_utterances import SortedUtterances
from deep_speaker.embeddings.piece_vectors import PieceVectors
from deep_speaker.embeddings.teachers import cut_utterance, piece_key
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.networks.checkpoints import Checkpoint, copy_state, save_checkpoint
from deep_speaker.networks.registry import build_network
from support.speech import make_speech, write_audio
from support.tiny_data import make_experiment
from support.tiny_networks import with_batch_norm

DISTILLATION: dict[str, Any] = {
    "loss": {"name": "distillation"},
    "teacher_frames": 30,
    "chunk_frames": 24,
    "speakers_per_batch": 6,
    "utterances_per_speaker": 2,
    "epochs": 3,
    "steps_per_epoch": 5,
    "optimiser": {"name": "adamw"},
    "schedule": {"shape": "cosine", "initial": 0.02, "final": 0},
    "augmentation": {"equaliser_db": 1},
}


def make_student(distillation: dict[str, Any] | None = None, **sections: Any) -> Experiment:
    """The tiny experiment with distillation alone."""
    options = DISTILLATION | (distillation or {})
    alone: dict[str, Any] = {"pretraining": None, "finetuning": None}
    return make_experiment(distillation=options, **(alone | sections))


def write_teacher(path: Path, experiment: Experiment) -> Path:
    """Write a checkpoint of random weights, as of published ones."""
    network = with_batch_norm(build_network(experiment))
    content = experiment.model_dump(mode="json")
    state = copy_state(network)
    save_checkpoint(path, Checkpoint(content, "initial_model", state, {}, {}, [], 0, []))
    return path


def write_recordings(data_dir: Path, seconds: Sequence[float], rate: int = 16000) -> Path:
    """Write a data directory, as of stage 0, of an utterance per length, of a speaker each.

    Every 0.4 s another voice speaks, so that no two pieces are alike.
    """
    utterances = []
    for number, length in enumerate(seconds):
        path = data_dir.parent / "audio" / f"s{number}-0.wav"
        voices = [make_speech(100 * number + i, 0.4, rate) for i in range(int(length / 0.4) + 1)]
        write_audio(path, np.concatenate(voices)[: int(length * rate)], rate)
        info = read_info(path)
        utterances.append(Utterance(path.stem, f"s{number}", wav_entry(path, info), info))
    write_data_dir(data_dir, SortedUtterances(data_dir.parent / "sorting", utterances))
    return data_dir


def write_targets(folder: Path, data_dir: Path, student: Experiment, dimension: int = 8) -> Path:
    """Write targets that depend on the frames: random, but fixed, functions of each piece's mean.

    A student that learns them has to hear the frames.
    """
    assert student.distillation is not None
    source = FeatureSource(data_dir, student)
    pieces = {
        piece_key(piece): piece
        for utterance in source.utt2spk
        for piece in cut_utterance(source, utterance, student.distillation.teacher_frames)
    }
    rng = np.random.default_rng(dimension)
    shape = rng.normal(0, 1, (student.features.num_bins, dimension))
    vectors = {
        key: at_unit_length(source.read(piece).std(axis=0) @ shape) for key, piece in pieces.items()
    }
    PieceVectors(folder).add(vectors, dict.fromkeys(vectors, "frames"))
    return folder
