"""The set-up of a phase: gather what it trains, and refuse what does not fit."""

import logging
import math
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from deep_speaker.config import Experiment, TeacherTraining
from deep_speaker.config.phases import PHASES, phase_options
from deep_speaker.config.stages import Stage
from deep_speaker.corpora.speaker_splits import describe_held_out, split_speakers
from deep_speaker.embeddings.pieces import fewest_crop_frames
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.kaldi.utterances import read_uncopied
from deep_speaker.losses.base import SpeakerLoss
from deep_speaker.losses.registry import build_loss, carry_over
from deep_speaker.networks.checkpoints import Checkpoint, check_experiment
from deep_speaker.networks.devices import to_device
from deep_speaker.networks.registry import build_network, count_parameters
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.training import ranks
from deep_speaker.training.batch_norm import synchronise
from deep_speaker.training.judge import Judge
from deep_speaker.training.optimisers import build_optimiser
from deep_speaker.training.samplers import build_sampler
from deep_speaker.training.targets import Targets
from deep_speaker.training.trainer import Trainer


def build_trainer(
    experiment: Experiment,
    phase: str,
    data_dir: Path,
    initial: Checkpoint | None,
    device: torch.device,
    teachers: Sequence[Path] = (),
) -> Trainer:
    """Gather what a phase trains; weights from `initial`, or random by the experiment's seed.

    Args:
        teachers: folders of teachers' embeddings, of distillation.
    """
    training = phase_options(experiment, phase)
    source = FeatureSource(data_dir, experiment)
    uncopied = read_uncopied(data_dir)
    speakers, held_out = split_speakers(uncopied, experiment.held_out, experiment.seed)
    targets = None
    if isinstance(training, TeacherTraining):
        targets = Targets(teachers, source, training)
    utterances = gather_utterances(source, speakers, targets)
    sampler = build_sampler(utterances, training)
    network = build_network(experiment)
    check_sizes(experiment, phase, network.fewest_frames)
    dimension = experiment.network.embedding_dim
    teacher_dim = targets.dimension if targets else None
    loss = build_loss(training, dimension, len(speakers), experiment.seed, teacher_dim)
    if initial is not None:
        check_experiment(initial, experiment)
        if initial.speakers:  # published weights know none
            check_speakers(initial, speakers)
        start_from(initial, phase, network, loss)
    if training.synchronised_batch_norm and ranks.world_size() > 1:
        synchronise(network)
    to_device(network, device)
    loss.to(device)
    steps = count_steps(experiment, phase, utterances)
    if ranks.rank() == 0:
        logging.info(
            "%s: %d parameters; %d speakers train, %s; %d epochs of %d steps of %d",
            phase, count_parameters(network), len(sampler.utterances),
            describe_held_out(uncopied, held_out, experiment.held_out),
            training.epochs, steps, training.batches_per_step * sampler.batch_size,
        )  # fmt: skip
    return Trainer(
        experiment=experiment,
        phase=phase,
        training=training,
        source=source,
        speakers=speakers,
        sampler=sampler,
        judge=Judge(source, held_out, experiment),
        targets=targets,
        network=network,
        parallel=ranks.parallel(network),
        loss=loss,
        optimiser=build_optimiser([*network.parameters(), *loss.parameters()], training.optimiser),
        steps_per_epoch=steps,
        device=device,
        data=source.digest(),
    )


def check_alike(trainer: Trainer) -> None:
    """Refuse to train on ranks that have read different files, as of machines of own disks."""
    own = {
        "another config": trainer.experiment.model_dump_json(),
        f"other data in {trainer.source.data_dir}": trainer.data,
    }
    for what, of_first in ranks.broadcast(own).items():
        if own.get(what) != of_first:
            raise ValueError(
                f"rank {ranks.rank()}, on {socket.gethostname()}, has {what} than the first rank: "
                "share or copy the files"
            )


def gather_utterances(
    source: FeatureSource, speakers: Sequence[str], targets: Targets | None = None
) -> dict[str, list[Section]]:
    """Return the voiced part of every utterance of some speakers, without copies.

    In distillation the pieces of it that the teacher has heard.
    """
    utterances: dict[str, list[Section]] = {speaker: [] for speaker in speakers}
    for utterance in source.with_copies:
        speaker = source.utt2spk[utterance]
        if speaker in utterances:
            pieces = targets.pieces(utterance) if targets else [source.whole(utterance)]
            utterances[speaker] += pieces
    return utterances


def start_from(
    initial: Checkpoint, phase: str, network: EmbeddingNetwork, loss: SpeakerLoss
) -> None:
    """Load a checkpoint's weights, and its loss's where the phase has the same loss.

    Raises:
        ValueError: a control, which continues with the loss of the checkpoint, has another.
    """
    network.load_state_dict(initial.network)
    carried = carry_over(loss, initial.loss)
    if PHASES[phase].is_control and not carried and loss.state_dict():
        raise ValueError(
            f"the {initial.phase} checkpoint has another loss than {phase} continues with: name "
            f"one of {', '.join(PHASES[phase].starts_from)} with this config"
        )


def count_steps(
    experiment: Experiment, phase: str, utterances: Mapping[str, Sequence[Section]]
) -> int:
    """Count the steps of an epoch; a pass over the speech is in batches of the pacing phase."""
    paced_by = phase_options(experiment, PHASES[phase].paced_by or phase)
    one_pass = build_sampler(utterances, paced_by).batches_per_epoch()
    return paced_by.steps_per_epoch or math.ceil(one_pass / paced_by.batches_per_step)


def check_sizes(experiment: Experiment, phase: str, fewest_frames: int) -> None:
    """Refuse chunks, crops or pieces of fewer frames than the network takes."""
    extraction = experiment.extraction
    sizes = {f"{phase}.chunk_frames": phase_options(experiment, phase).chunk_frames}
    if extraction.by_crops:
        sizes["extraction.crop_frames"] = fewest_crop_frames(experiment)
    else:  # pieces of a long utterance have half as many at least
        sizes["extraction.max_frames"] = extraction.max_frames // 2
    for key, frames in sizes.items():
        if frames < fewest_frames:
            raise ValueError(
                f"{key} makes inputs of {frames} frames: network {experiment.network.name} takes "
                f"{fewest_frames} or more"
            )


def check_speakers(checkpoint: Checkpoint, speakers: list[str]) -> None:
    """Refuse other training speakers: some of them might be held out now."""
    if checkpoint.speakers != speakers:
        raise ValueError(
            f"the {checkpoint.phase} checkpoint was trained on {len(checkpoint.speakers)} other "
            f"speakers than the {len(speakers)} of the data: {Stage.PRETRAINING.again}"
        )
