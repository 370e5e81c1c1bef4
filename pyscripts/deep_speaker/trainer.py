"""What a phase trains, with what, and how one epoch goes."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from deep_speaker.batches import Batch, ahead, make_batches
from deep_speaker.checkpoints import Checkpoint, check_experiment, copy_state
from deep_speaker.config import Experiment, Training
from deep_speaker.dataset import FeatureSource
from deep_speaker.devices import autocast, to_device
from deep_speaker.held_out import HeldOutTrials, split_speakers
from deep_speaker.losses import SoftmaxLoss, TripletLoss, build_loss
from deep_speaker.networks import build_network, count_parameters
from deep_speaker.samplers import SpeakerBatches
from deep_speaker.schedules import build_optimiser, learning_rate

PHASES = ("pretraining", "finetuning", "pretraining_continued")


def phase_config(experiment: Experiment, phase: str) -> Training:
    """The training options of a phase.

    `pretraining_continued` is what fine-tuning is to be compared with: the loss and batches of
    pre-training, for the steps and with the learning rates of fine-tuning.
    """
    if phase == "finetuning":
        return experiment.finetuning
    if phase == "pretraining":
        return experiment.pretraining
    keys = ("epochs", "steps_per_epoch", "patience", "schedule", "optimiser")
    return experiment.pretraining.model_copy(
        update={key: getattr(experiment.finetuning, key) for key in keys}
    )


@dataclass
class Trainer:
    """What a phase trains, and with what."""

    experiment: Experiment
    phase: str
    training: Training
    source: FeatureSource
    speakers: list[str]
    sampler: SpeakerBatches
    held_out: HeldOutTrials
    network: nn.Module
    loss: SoftmaxLoss | TripletLoss
    optimiser: torch.optim.Optimizer
    steps_per_epoch: int
    device: torch.device

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """One epoch's steps; the means of the loss and of the figures it logs."""
        self.network.train()
        totals: dict[str, float] = {}
        total_steps = self.training.epochs * self.steps_per_epoch
        bar = tqdm(
            ahead(self._batches(epoch)),
            f"epoch {epoch + 1}/{self.training.epochs}",
            self.steps_per_epoch,
            disable=None,
            leave=False,
        )
        for step, (chunks, labels) in enumerate(bar):
            progress = (epoch * self.steps_per_epoch + step) / total_steps
            figures = self._step(chunks, labels, progress)
            bar.set_postfix(loss=f"{figures['loss']:.3f}", refresh=False)
            for name, value in figures.items():
                totals[name] = totals.get(name, 0.0) + value / self.steps_per_epoch
        return totals

    def _step(self, chunks: Tensor, labels: Tensor, progress: float) -> dict[str, float]:
        if isinstance(self.loss, TripletLoss):
            self.loss.progress = progress
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.training.schedule, progress)
        with autocast(self.device):
            embeddings = self.network(chunks.to(self.device, non_blocking=True))
        loss, figures = self.loss(embeddings, labels.to(self.device, non_blocking=True))
        if not torch.isfinite(loss):
            raise ValueError(
                f"{self.phase}: the loss is {loss.item()} at {progress:.1%} of the steps: lower "
                f"schedule.initial ({self.training.schedule.initial:g}) or the momentum"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.item(), **figures}

    def _batches(self, epoch: int) -> Iterator[Batch]:
        # The batches of an epoch follow from these numbers alone, so a resumed run repeats.
        rng = np.random.default_rng((self.experiment.seed, PHASES.index(self.phase), epoch))
        scale = self.experiment.normalisation.scale
        sections = self.sampler.epoch(self.steps_per_epoch, rng)
        return make_batches(self.source, sections, self.training, scale, rng)

    def restore(self, checkpoint: Checkpoint) -> None:
        self.network.load_state_dict(checkpoint.network)
        self.loss.load_state_dict(checkpoint.loss)
        self.optimiser.load_state_dict(checkpoint.optimiser)
        torch.set_rng_state(checkpoint.random_state)

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
            random_state=torch.get_rng_state(),
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
    utterances: dict[str, list] = {speaker: [] for speaker in speakers}
    for utterance, speaker in source.utt2spk.items():
        if speaker in utterances:
            utterances[speaker].append(source.whole(utterance))
    sampler = SpeakerBatches(
        utterances,
        training.speakers_per_batch,
        training.utterances_per_speaker,
        training.chunk_frames,
    )
    network = build_network(experiment.network, experiment.features.num_mels, experiment.seed)
    dimension = experiment.network.embedding_dim
    loss = build_loss(training.loss, dimension, len(speakers), experiment.seed)
    if initial is not None:
        check_experiment(initial, experiment)
        network.load_state_dict(initial.network)
        check_speakers(initial, speakers)
        if isinstance(loss, SoftmaxLoss):
            if initial.loss.keys() != loss.state_dict().keys():
                raise ValueError(
                    f"the {initial.phase} checkpoint has another loss than {training.loss}: "
                    "name one of pretraining with this config"
                )
            loss.load_state_dict(initial.loss)
    to_device(network, device)
    loss.to(device)
    parameters = [*network.parameters(), *loss.parameters()]
    # A pass over the speech is counted in the batches of the phase that sets the epochs.
    paced_by = experiment.finetuning if phase == "pretraining_continued" else training
    one_pass = sampler.count_chunks(paced_by.chunk_frames) // paced_by.batch_size
    steps = paced_by.steps_per_epoch or max(1, one_pass)
    logging.info(
        "%s: %d parameters; %d speakers train, %d are held out; %d epochs of %d batches of %d",
        phase, count_parameters(network), len(speakers), len(held_out), training.epochs, steps,
        sampler.speakers_per_batch * sampler.utterances_per_speaker,
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
        loss=loss,
        optimiser=build_optimiser(parameters, training.optimiser),
        steps_per_epoch=steps,
        device=device,
    )


def check_speakers(checkpoint: Checkpoint, speakers: list[str]) -> None:
    """Refuse other training speakers: some of them might be held out now."""
    if checkpoint.speakers != speakers:
        raise ValueError(
            f"the {checkpoint.phase} checkpoint was trained on {len(checkpoint.speakers)} other "
            f"speakers than the {len(speakers)} of the data: run stage 2 anew"
        )
