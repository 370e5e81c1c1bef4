"""The start of distillation as the slimmed teacher."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from deep_speaker.config import Experiment
from deep_speaker.config.networks import ECAPATDNN
from deep_speaker.corpora.speaker_splits import split_speakers
from deep_speaker.features import front_ends
from deep_speaker.features.source import FeatureSource, Section, fit_length
from deep_speaker.kaldi.utterances import read_uncopied
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint, trained_with
from deep_speaker.networks.ecapa_slimming import slim
from deep_speaker.networks.registry import build_network, count_parameters
from deep_speaker.networks.slimming import Moments, correct
from deep_speaker.networks.speaker_network import SpeakerNetwork
from deep_speaker.training.setup import gather_utterances
from deep_speaker.training.targets import Targets

FRAMES = 60000  # of the chunks by which layers are fitted: 245 MB of 1024 channels
PIECES = 6000  # at most, by which the embedding is fitted: a few for each of its inputs
RIDGE = 0.5  # of the embedding: of 0.1 to 4, the best on held-out speakers


def slim_teacher(
    experiment: Experiment,
    teacher: Path,
    data_dir: Path,
    folder: Path,
    device: torch.device,
) -> Checkpoint:
    """Return a student that starts as its slimmed teacher, by the speech of training speakers.

    Args:
        folder: the teacher's embeddings, which `embed_training_set` has written.

    Raises:
        ValueError: the experiment does not ask for it, or the teacher cannot be slimmed to it.
    """
    options = experiment.distillation
    if options is None or not experiment.slims_teacher:
        raise ValueError("nothing to do: distillation.starts_from is not teacher")
    large = open_teacher(teacher, experiment).to(device)
    small = build_network(experiment).eval().to(device)
    assert isinstance(small, SpeakerNetwork)
    source = FeatureSource(data_dir, experiment)
    speakers, _ = split_speakers(read_uncopied(data_dir), experiment.held_out, experiment.seed)
    targets = Targets([folder], source, options)
    of_speakers = gather_utterances(source, speakers, targets).values()
    pieces = [piece for of_speaker in of_speakers for piece in of_speaker]
    np.random.default_rng(experiment.seed).shuffle(pieces)
    pieces = pieces[:PIECES]
    chunks = read_some_chunks(source, pieces, options.chunk_frames)
    logging.info(
        "slimming %s of %d parameters to %d, by %d chunks and %d pieces",
        teacher, count_parameters(large), count_parameters(small), len(chunks), len(pieces),
    )  # fmt: skip
    slim(large, small, torch.from_numpy(chunks).to(device))
    fit_embedding(small, source, pieces, targets)
    return Checkpoint(
        experiment=experiment.model_dump(mode="json"),
        phase="initial_model",
        network=small.cpu().state_dict(),
        loss={},
        optimiser={},
        speakers=speakers,
        epochs=0,
        history=[],
        data=name_source(source, folder),
    )


def is_slimmed(output: Path, experiment: Experiment, data_dir: Path, folder: Path) -> bool:
    """Tell whether a file holds the student that is asked for, of the same teacher and speech.

    Args:
        folder: the teacher's embeddings.
    """
    try:
        found = load_checkpoint(output)
    except ValueError:  # none, or damaged
        return False
    made_of = name_source(FeatureSource(data_dir, experiment), folder)
    return (found.experiment, found.data) == (experiment.model_dump(mode="json"), made_of)


def name_source(source: FeatureSource, folder: Path) -> str:
    """Name the speech and the teacher that a student is made of; that names a teacher's folder."""
    return f"{source.digest()} {folder.name}"


def open_teacher(path: Path, experiment: Experiment) -> SpeakerNetwork:
    """Return the teacher's network, in evaluation mode.

    Raises:
        ValueError: the experiment's network is no smaller one of the same kind, with the same
            input.
    """
    checkpoint = load_checkpoint(path)
    found = Experiment.model_validate(trained_with(checkpoint))
    check_sizes(found, experiment, path)
    network = build_network(found)
    network.load_state_dict(checkpoint.network)
    assert isinstance(network, SpeakerNetwork)
    return network.eval()


def check_sizes(found: Experiment, asked: Experiment, path: Path) -> None:
    """Refuse a teacher that the experiment's network is no smaller one of."""
    teacher, student = found.network, asked.network
    if not isinstance(teacher, ECAPATDNN) or not isinstance(student, ECAPATDNN):
        raise ValueError(
            f"distillation.starts_from teacher: {path} is a {teacher.name} and the network a "
            f"{student.name}: only an ecapa_tdnn is slimmed to another; set starts_from to random"
        )
    sizes = [(each.channels, each.pooled_channels) for each in (teacher, student)]
    if any(wide < narrow for wide, narrow in zip(*sizes, strict=True)):
        raise ValueError(
            f"distillation.starts_from teacher: {path} has (channels, pooled_channels) {sizes[0]}, "
            f"the network {sizes[1]}: take none larger, or set starts_from to random"
        )
    frames = [front_ends.options_file(each.features) for each in (found, asked)]
    compared: dict[str, tuple[object, object]] = {
        "features": (frames[0], frames[1]),
        "normalisation": (found.normalisation, asked.normalisation),
        "network.pooling": (teacher.pooling, student.pooling),
        "network.embedding_dim": (teacher.embedding_dim, student.embedding_dim),
    }
    differing = [name for name, (one, other) in compared.items() if one != other]
    if differing:
        raise ValueError(
            f"distillation.starts_from teacher: {path} has other {' and '.join(differing)} than "
            "the config: take the teacher's, or set starts_from to random"
        )


def read_some_chunks(
    source: FeatureSource, pieces: Sequence[Section], num_frames: int
) -> np.ndarray:
    """Read the beginnings of pieces, as many as fit the layers: (chunks, frames, bins)."""
    some = pieces[: max(1, FRAMES // num_frames)]
    beginnings = [piece._replace(stop=min(piece.stop, piece.start + num_frames)) for piece in some]
    return source.read_chunks(beginnings, num_frames)


@torch.no_grad()
def fit_embedding(
    network: SpeakerNetwork, source: FeatureSource, pieces: Sequence[Section], targets: Targets
) -> None:
    """Correct the last layer, which has the teacher's weights, by all pieces and their targets.

    These have unit length, which the teacher's own output has not: its scale comes first.
    """
    bar = tqdm(pieces, "slimming", unit="piece", disable=None, leave=False)
    pooled = torch.cat([pool(network, source.read(piece)) for piece in bar])
    wanted = torch.from_numpy(np.stack([targets.of(piece) for piece in pieces])).to(pooled)
    given = network.affine(pooled)
    given -= given.mean(dim=0)
    scale = (given * (wanted - wanted.mean(dim=0))).sum() / given.square().sum()
    network.affine.weight.mul_(scale)
    network.affine.bias.mul_(scale)
    moments = Moments()
    moments.add(pooled, wanted - network.affine(pooled))
    correct(network.affine, moments, RIDGE)


def pool(network: SpeakerNetwork, frames: np.ndarray) -> Tensor:
    """Return the pooled vector of frames (frames, bins), (1, features)."""
    frames = fit_length(frames, max(len(frames), network.fewest_frames))
    return network.pool(torch.from_numpy(frames).to(network.affine.weight)[None])
