"""What a phase trains, with what, and how one epoch goes."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from deep_speaker import distributed
from deep_speaker.batches import BATCHES_AHEAD, Batch, make_batches
from deep_speaker.checkpoints import Checkpoint, check_experiment, copy_state
from deep_speaker.config import Experiment, Training
from deep_speaker.dataset import FeatureSource, Section
from deep_speaker.devices import autocast, to_device
from deep_speaker.held_out import HeldOutTrials
from deep_speaker.losses import build_loss, carry_over
from deep_speaker.losses.base import SpeakerLoss
from deep_speaker.networks import EmbeddingNetwork, build_network, count_parameters
from deep_speaker.parallel import ahead
from deep_speaker.phases import PHASES, phase_config
from deep_speaker.samplers import SpeakerBatches, build_sampler
from deep_speaker.schedules import build_optimiser, learning_rate
from deep_speaker.speaker_split import split_speakers


@dataclass
class Trainer:
    """What a phase trains, and with what.

    Attributes:
        parallel: the network, which several ranks keep alike.
        steps_per_epoch: optimiser steps.
    """

    experiment: Experiment
    phase: str
    training: Training
    source: FeatureSource
    speakers: list[str]
    sampler: SpeakerBatches
    held_out: HeldOutTrials
    network: EmbeddingNetwork
    parallel: nn.Module
    loss: SpeakerLoss
    optimiser: torch.optim.Optimizer
    steps_per_epoch: int
    device: torch.device

    def train_epoch(self, epoch: int, errors: Sequence[float]) -> dict[str, float]:
        """One epoch's steps.

        Args:
            errors: held-out EERs of the epochs before.

        Returns:
            The means of the loss and of the figures it logs, and the last learning rate.
        """
        self.network.train()
        seed, batches = self._batches(epoch)
        torch.manual_seed(seed)
        totals: dict[str, float] = {}
        rate = 0.0
        bar = tqdm(
            range(self.steps_per_epoch),
            f"epoch {epoch + 1}/{self.training.epochs}",
            disable=None if distributed.rank() == 0 else True,
            leave=False,
        )
        for step in bar:
            done = epoch * self.steps_per_epoch + step
            progress = done / (self.training.epochs * self.steps_per_epoch)
            rate = learning_rate(self.training.schedule, progress, epoch, errors)
            figures = self._step(
                list(islice(batches, self.training.batches_per_step)), progress, rate
            )
            bar.set_postfix(loss=f"{figures['loss']:.3f}", refresh=False)
            for name, value in figures.items():
                totals[name] = totals.get(name, 0.0) + value / self.steps_per_epoch
        return totals | {"learning_rate": rate}

    def _step(self, batches: Sequence[Batch], progress: float, rate: float) -> dict[str, float]:
        """One step of the optimiser, on the mean of the batches' gradients."""
        self.loss.progress = progress
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, float] = {}
        for batch in batches:
            # Ranks exchange gradients once per step.
            last = batch is batches[-1]
            with nullcontext() if last else distributed.without_exchange(self.parallel):
                loss, of_batch = self._compute_loss(batch)
                if not torch.isfinite(loss):
                    raise ValueError(
                        f"{self.phase}: the loss is {loss.item()} at {progress:.1%} of the steps: "
                        f"lower schedule.initial ({self.training.schedule.initial:g}) or the "
                        "momentum, or set optimiser.clip_norm"
                    )
                (loss / len(batches)).backward()
            for name, value in ({"loss": loss.item()} | of_batch).items():
                figures[name] = figures.get(name, 0.0) + value / len(batches)
        distributed.average_gradients(self.loss.parameters())
        if self.training.optimiser.clip_norm:
            parameters = [*self.network.parameters(), *self.loss.parameters()]
            nn.utils.clip_grad_norm_(parameters, self.training.optimiser.clip_norm)
        self.optimiser.step()
        return figures

    def _compute_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss over the batch of all ranks together."""
        with autocast(self.device):
            embeddings = self.parallel(batch.chunks.to(self.device, non_blocking=True))
        labels = batch.labels.to(self.device, non_blocking=True)
        return self.loss(distributed.gather_with_gradients(embeddings), distributed.gather(labels))

    def _batches(self, epoch: int) -> tuple[int, Iterator[Batch]]:
        """A seed for torch, and batches that follow from the epoch: a resumed run repeats."""
        key = (self.experiment.seed, PHASES.index(self.phase), epoch)
        drawn = self.sampler.epoch(
            self.steps_per_epoch * self.training.batches_per_step, np.random.default_rng(key)
        )
        batches = make_batches(self.source, drawn, self.training, self.experiment, key)
        return int(np.random.SeedSequence(key).generate_state(1)[0]), ahead(batches, BATCHES_AHEAD)

    def judge(self) -> dict[str, float]:
        """The network's figures on the held-out speakers."""
        error, mean_cosine = self.held_out.evaluate(self.network, self.device)
        return {"held_out_eer_percent": 100 * error, "held_out_mean_cosine": mean_cosine}

    def restore(self, checkpoint: Checkpoint) -> None:
        self.network.load_state_dict(checkpoint.network)
        self.loss.load_state_dict(checkpoint.loss)
        self.optimiser.load_state_dict(checkpoint.optimiser)

    def checkpoint(self, epochs: int, history: list[dict[str, float]]) -> Checkpoint:
        return Checkpoint(
            experiment=self.experiment.model_dump(mode="json"),
            phase=self.phase,
            network=copy_state(self.network),
            loss=copy_state(self.loss),
            optimiser=self.optimiser.state_dict(),
            speakers=self.speakers,
            epochs=epochs,
            history=history,
        )


def build_trainer(
    experiment: Experiment,
    phase: str,
    data_dir: Path,
    initial: Checkpoint | None,
    device: torch.device,
) -> Trainer:
    """Gather what a phase trains; weights from `initial`, or random by the experiment's seed."""
    training = phase_config(experiment, phase)
    source = FeatureSource(data_dir, experiment)
    speakers, held_out = split_speakers(
        sorted(set(source.utt2spk.values())), experiment.held_out, experiment.seed
    )
    utterances: dict[str, list[Section]] = {speaker: [] for speaker in speakers}
    for utterance in source.versions:
        speaker = source.utt2spk[utterance]
        if speaker in utterances:
            utterances[speaker].append(source.whole(utterance))
    sampler = build_sampler(utterances, training)
    network = build_network(experiment)
    check_sizes(experiment, phase, network.fewest_frames)
    dimension = experiment.network.embedding_dim
    loss = build_loss(training, dimension, len(speakers), experiment.seed)
    if initial is not None:
        check_experiment(initial, experiment)
        network.load_state_dict(initial.network)
        if initial.speakers:  # published weights know none
            check_speakers(initial, speakers)
        carried = carry_over(loss, initial.loss)
        if phase == "pretraining_continued" and not carried and loss.state_dict():
            raise ValueError(
                f"the {initial.phase} checkpoint has another loss than {training.loss}: "
                "name one of pretraining with this config"
            )
    to_device(network, device)
    loss.to(device)
    # A pass over the speech is counted in the batches of the phase that sets the epochs.
    paced_by = experiment.finetuning if phase == "pretraining_continued" else training
    assert paced_by is not None  # phase_config has seen to it
    one_pass = build_sampler(utterances, paced_by).batches_per_epoch()
    steps = paced_by.steps_per_epoch or math.ceil(one_pass / paced_by.batches_per_step)
    if distributed.rank() == 0:
        logging.info(
            "%s: %d parameters; %d speakers train, %d are held out; %d epochs of %d steps of %d",
            phase, count_parameters(network), len(sampler.utterances), len(held_out),
            training.epochs, steps, training.batches_per_step * sampler.batch_size,
        )  # fmt: skip
    return Trainer(
        experiment=experiment,
        phase=phase,
        training=training,
        source=source,
        speakers=speakers,
        sampler=sampler,
        held_out=HeldOutTrials(source, held_out, experiment),
        network=network,
        parallel=distributed.parallel(network),
        loss=loss,
        optimiser=build_optimiser([*network.parameters(), *loss.parameters()], training.optimiser),
        steps_per_epoch=steps,
        device=device,
    )


def check_sizes(experiment: Experiment, phase: str, fewest_frames: int) -> None:
    """Refuse chunks, crops or pieces of fewer frames than the network takes."""
    extraction = experiment.extraction
    sizes = {f"{phase}.chunk_frames": phase_config(experiment, phase).chunk_frames}
    if extraction.method == "crops":
        sizes["extraction.crop_frames"] = extraction.crop_frames
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
            f"speakers than the {len(speakers)} of the data: run stage 2 anew"
        )
