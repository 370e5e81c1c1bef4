"""A teacher's embeddings of pieces of a training set, which distillation learns.

A piece is a part of the voiced frames of an utterance, as stage 1 found them for the student. The
teacher hears the samples that its frames lie on, by its own front end.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from deep_speaker.config import Experiment, TeacherTraining
from deep_speaker.embeddings.extraction import in_processes
from deep_speaker.embeddings.piece_vectors import PieceVectors
from deep_speaker.embeddings.samples import SampleEmbedder
from deep_speaker.features import front_ends, voice_activity
from deep_speaker.features.samples import SampleSource
from deep_speaker.features.source import FeatureSource, Section, split_section
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint, trained_with
from deep_speaker.networks.pace import PRECISIONS, Asked, Precision, Step, choose_pace
from deep_speaker.system.processes import map_in_processes

# What decides a checkpoint's embeddings besides its weights.
SECTIONS = ("features", "voice_activity", "normalisation", "network", "extraction")
KEPT_TOGETHER = 500  # utterances: after so many, what is done is kept


class Job(NamedTuple):
    """The pieces of an utterance.

    Attributes:
        keys: of the pieces.
        spans: seconds of the utterance at which each begins and ends.
        origin: tells whether they have changed, with the spans.
    """

    utterance: str
    keys: list[str]
    spans: list[tuple[float, float]]
    origin: str

    def origins(self) -> dict[str, str]:
        """Hash, by key, what decides each piece's samples."""
        texts = [f"{self.origin} {span}" for span in self.spans]
        hashes = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
        return dict(zip(self.keys, hashes, strict=True))


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
    precision: Precision = "float32"

    def __call__(self, job: Job) -> np.ndarray:
        """Embed the pieces of an utterance: unit length, shape (pieces, dim)."""
        embedder, samples = open_teacher(self)
        heard = samples.read(job.utterance)
        rate = embedder.experiment.features.sampling_rate
        bounds = [(max(0, round(first * rate)), round(last * rate)) for first, last in job.spans]
        try:
            return np.stack([embedder(heard[first:last]) for first, last in bounds])
        except ValueError as error:
            raise ValueError(
                f"{self.checkpoint} cannot embed all pieces of {job.utterance!r}: {error}: raise "
                "distillation.teacher_frames, or leave the utterance out"
            ) from error


@lru_cache(maxsize=1)
def open_teacher(teacher: Teacher) -> tuple[SampleEmbedder, SampleSource]:
    """Load the network and open the samples; both are kept from one utterance to the next."""
    checkpoint = load_checkpoint(teacher.checkpoint)
    embedder = SampleEmbedder(checkpoint, teacher.device, teacher.precision)
    return embedder, SampleSource(teacher.data_dir, embedder.sampling_rate)


def embed_training_set(
    checkpoint: Path,
    data_dir: Path,
    experiment: Experiment,
    output: Path,
    device: torch.device,
    num_jobs: int,
    asked: Precision | None = None,
) -> Path:
    """Embed the pieces of a training set, and return the folder below `output` that has them.

    Experiments share it where they have the same teacher and the same pieces. What is there, and
    made of the same samples, is not embedded again.

    Args:
        asked: the precision; None: what is faster in a trial.
    """
    options = experiment.distillation
    if options is None:
        raise ValueError("the config has no distillation: it takes no teacher")
    kept = PieceVectors(output / name_folder(load_checkpoint(checkpoint), experiment))
    kept.note("teacher", str(checkpoint.absolute()))
    jobs = list_jobs(data_dir, experiment, options)
    missing = [job for job in jobs if not all(kept.has(*pair) for pair in job.origins().items())]
    logging.info(
        "%s: of the pieces of %d utterances it has those of %d",
        kept.folder, len(jobs), len(jobs) - len(missing),
    )  # fmt: skip
    teacher = Teacher(checkpoint, data_dir, device)
    if missing:
        teacher = choose_precision(teacher, missing[0], asked)
    results = embed_jobs(teacher, missing, num_jobs)
    bar = iter(tqdm(results, "teacher", total=len(missing), unit="utt", disable=None, leave=False))
    done = 0
    while some := list(islice(bar, KEPT_TOGETHER)):
        found: dict[str, np.ndarray] = {}
        origins: dict[str, str] = {}
        for job, vectors in some:
            found |= zip(job.keys, vectors, strict=True)
            origins |= job.origins()
        kept.add(found, origins)
        done += len(some)
        logging.info("%s: %d of %d utterances embedded", kept.folder, done, len(missing))
    return kept.folder


def choose_precision(teacher: Teacher, job: Job, asked: Precision | None) -> Teacher:
    """Return a teacher in the precision that is asked for, or that is faster in a trial."""

    def prepare() -> Step:
        in_each = {each: replace(teacher, precision=each) for each in PRECISIONS}
        opened = {each: open_teacher(one) for each, one in in_each.items()}
        first, last = job.spans[0]
        embedder, samples = opened["float32"]
        rate = embedder.experiment.features.sampling_rate
        heard = samples.read(job.utterance)[max(0, round(first * rate)) : round(last * rate)]
        return lambda pace: opened[pace.precision][0](heard)

    threads = 1 if in_processes(teacher.device) else None
    pace, said = choose_pace(teacher.device, Asked(asked, threads), prepare)
    logging.info("teacher: %s", said)
    return replace(teacher, precision=pace.precision)


def list_jobs(data_dir: Path, experiment: Experiment, options: TeacherTraining) -> list[Job]:
    """List the utterances that a teacher has to hear, those of a recording one after another."""
    source = FeatureSource(data_dir, experiment)
    samples = SampleSource(data_dir, experiment.features.sampling_rate)
    jobs = []
    for utterance in samples.in_order(set(heard_utterances(source, options).values())):
        pieces = cut_utterance(source, utterance, options.teacher_frames)
        spans = [source.seconds(piece) for piece in pieces]
        jobs.append(
            Job(utterance, list(map(piece_key, pieces)), spans, samples.identify(utterance))
        )
    return jobs


def embed_jobs(
    teacher: Teacher, jobs: Sequence[Job], num_jobs: int
) -> Iterator[tuple[Job, np.ndarray]]:
    """Yield utterances with the embeddings of their pieces, in processes on a CPU."""
    if in_processes(teacher.device):
        return zip(jobs, map_in_processes(teacher, jobs, num_jobs), strict=True)
    return zip(jobs, map(teacher, jobs), strict=True)


def name_folder(checkpoint: Checkpoint, experiment: Experiment) -> str:
    """Name the embeddings of pieces: the teacher's network, and a hash of all they are by.

    That is its weights, with the sections of its experiment that decide its embeddings, and the
    student's features and voice activity, which decide where a piece lies.
    """
    found = trained_with(checkpoint)
    described: Mapping[str, object] = {section: found[section] for section in SECTIONS} | {
        "frames": front_ends.options_file(experiment.features),
        "voiced": voice_activity.vad_options(experiment.voice_activity),
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, tensor in sorted(checkpoint.network.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return f"{found['network']['name']}.{digest.hexdigest()[:12]}"
