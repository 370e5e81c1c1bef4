"""A teacher's embeddings of pieces of a training set, which distillation learns.

A piece is a part of the voiced frames of an utterance, as stage 1 found them for the student. The
teacher hears the samples that its frames lie on, by its own front end.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deep_speaker.config import Experiment, TeacherTraining
from deep_speaker.copies.joining import fingerprint
from deep_speaker.embeddings.extraction import in_processes
from deep_speaker.embeddings.samples import SampleEmbedder
from deep_speaker.features.samples import SampleSource
from deep_speaker.features.source import FeatureSource, Section, split_section
from deep_speaker.kaldi.archives import write_vectors
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint, trained_with
from deep_speaker.system.files import replacing_directory
from deep_speaker.system.processes import map_in_processes

# What decides a checkpoint's embeddings besides its weights.
SECTIONS = ("features", "voice_activity", "normalisation", "network", "extraction")
Span = tuple[float, float]  # seconds of an utterance


def cut_utterance(source: FeatureSource, utterance: str, frames: int | None) -> list[Section]:
    """Cut the voiced part of an utterance into equal pieces of about so many frames; None: one."""
    whole = source.whole(utterance)
    return split_section(whole, round(whole.num_frames / frames) if frames else 1)


def piece_key(piece: Section) -> str:
    """Name a piece, so that those of an utterance sort by time.

    >>> piece_key(Section("anna-1", 0, 300))
    'anna-1-000000-000300'
    """
    return f"{piece.utterance}-{piece.start:06}-{piece.stop:06}"


def heard_utterances(source: FeatureSource, options: TeacherTraining) -> dict[str, str]:
    """Return, of each utterance that may train, that whose embeddings by the teacher it learns."""
    own = options.teacher_hears == "copies"
    return {
        copy: copy if own else original
        for original, copies in source.with_copies.items()
        for copy in copies
    }


@dataclass(frozen=True)
class Teacher:
    """A checkpoint that embeds pieces of a data directory; small, as it travels to workers."""

    checkpoint: Path
    data_dir: Path
    device: torch.device

    def __call__(self, job: tuple[str, list[Span]]) -> np.ndarray:
        """Embed pieces of an utterance: unit length, shape (pieces, dim)."""
        embedder, samples = open_teacher(self)
        utterance, spans = job
        heard = samples.read(utterance)
        rate = embedder.experiment.features.sampling_rate
        bounds = [(max(0, round(first * rate)), round(last * rate)) for first, last in spans]
        try:
            return np.stack([embedder(heard[first:last]) for first, last in bounds])
        except ValueError as error:
            raise ValueError(
                f"{self.checkpoint} embeds no piece of {utterance!r}: {error}: set "
                "distillation.teacher_frames to more, or leave the utterance out"
            ) from error


@lru_cache(maxsize=1)
def open_teacher(teacher: Teacher) -> tuple[SampleEmbedder, SampleSource]:
    """Load the network and open the samples; both are kept from one utterance to the next."""
    embedder = SampleEmbedder(teacher.checkpoint, teacher.device)
    rate = embedder.experiment.features.sampling_rate
    return embedder, SampleSource(teacher.data_dir, rate)


def embed_training_set(
    checkpoint: Path,
    data_dir: Path,
    experiment: Experiment,
    output: Path,
    device: torch.device,
    num_jobs: int,
) -> Path:
    """Embed the pieces of a training set, and return the folder below `output` that has them.

    It holds xvector.{ark,scp}, by `piece_key`, unit length. It is named by all that decides them:
    where it is there, nothing is done.
    """
    options = experiment.distillation
    if options is None:
        raise ValueError("the config has no distillation: it takes no teacher")
    folder = output / name_folder(load_checkpoint(checkpoint), data_dir, options)
    if (folder / "xvector.scp").is_file():
        logging.info("%s: %s has embedded %s before", folder, checkpoint, data_dir)
        return folder
    source = FeatureSource(data_dir, experiment)
    heard = set(heard_utterances(source, options).values())
    teacher = Teacher(checkpoint, data_dir, device)
    with replacing_directory(folder) as partial:
        vectors = dict(_embed(teacher, source, heard, options.teacher_frames, num_jobs))
        write_vectors(partial / "xvector", folder / "xvector", vectors)
        (partial / "teacher").write_text(f"{checkpoint.absolute()}\n", encoding="utf-8")
    logging.info(
        "%s: %d pieces of %d utterances, embedded by %s",
        folder,
        len(vectors),
        len(heard),
        checkpoint,
    )
    return folder


def _embed(
    teacher: Teacher, source: FeatureSource, heard: set[str], frames: int | None, num_jobs: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield pieces by their keys, with their embeddings (dim,)."""
    ordered = SampleSource(source.data_dir, source.options.sampling_rate).in_order(heard)
    pieces = [cut_utterance(source, utterance, frames) for utterance in ordered]
    jobs = [
        (utterance, [source.seconds(piece) for piece in of_utterance])
        for utterance, of_utterance in zip(ordered, pieces, strict=True)
    ]
    if in_processes(teacher.device):
        results: Iterator[np.ndarray] = map_in_processes(teacher, jobs, num_jobs)
    else:
        results = map(teacher, jobs)
    bar = tqdm(results, "teacher", total=len(jobs), unit="utt", disable=None, leave=False)
    for of_utterance, vectors in zip(pieces, bar, strict=True):
        yield from zip(map(piece_key, of_utterance), vectors, strict=True)


def name_folder(checkpoint: Checkpoint, data_dir: Path, options: TeacherTraining) -> str:
    """Name the embeddings of a training set's pieces: the network, and a hash of all they are by.

    That is the weights, the sections of the experiment around them, the features and the voice
    activity of the student, and what is a piece.
    """
    found = trained_with(checkpoint)
    described = {section: found[section] for section in SECTIONS} | {
        "data": fingerprint(data_dir),
        "pieces": [options.teacher_frames, options.teacher_hears],
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(checkpoint.network.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return f"{found['network']['name']}.{digest.hexdigest()[:12]}"
