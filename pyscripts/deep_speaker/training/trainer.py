"""The trainer: the objects of a phase, and one epoch of it."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from deep_speaker.config import Experiment, Training
from deep_speaker.config.phases import TRAINED
from deep_speaker.features.source import FeatureSource
from deep_speaker.losses.base import LossResult, SpeakerLoss
from deep_speaker.losses.distillation import DistillationLoss
from deep_speaker.networks.checkpoints import Checkpoint, copy_state
from deep_speaker.networks.devices import autocast
from deep_speaker.networks.pace import Pace
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.system.processes import ahead
from deep_speaker.training import ranks
from deep_speaker.training.batch_norm import fix_statistics
from deep_speaker.training.batches import BATCHES_AHEAD, Batch, make_batches
from deep_speaker.training.judge import Judge
from deep_speaker.training.progress import StepProgress
from deep_speaker.training.samplers import SpeakerBatches
from deep_speaker.training.schedules import learning_rate
from deep_speaker.training.targets import Targets


@dataclass
class Trainer:
    """A network and a loss in training, with all that this takes.

    Attributes:
        training: the options of the phase.
        speakers: those who train, in the order of the loss's classes.
        judge: of every epoch, by the held-out speakers.
        targets: of distillation.
        parallel: the network, which several ranks keep alike.
        steps_per_epoch: steps of the optimiser.
        pace: the precision and the threads; see `training.pacing`.
    """

    experiment: Experiment
    phase: str
    training: Training
    source: FeatureSource
    speakers: list[str]
    sampler: SpeakerBatches
    judge: Judge
    targets: Targets | None
    network: EmbeddingNetwork
    parallel: nn.Module
    loss: SpeakerLoss
    optimiser: torch.optim.Optimizer
    steps_per_epoch: int
    device: torch.device
    pace: Pace = field(default_factory=Pace)

    def train_epoch(self, epoch: int, errors: Sequence[float]) -> dict[str, float]:
        """Take the steps of one epoch.

        Args:
            errors: held-out errors of the epochs before; see `held_out_errors`.

        Returns:
            The means of the loss and of the figures it logs, and the last learning rate.
        """
        self.network.train()
        if self.training.fixed_batch_norm:
            fix_statistics(self.network)
        seed, batches = self.draw_batches(epoch)
        torch.manual_seed(seed)
        totals: dict[str, float] = {}
        rate = 0.0
        name = f"{self.phase} epoch {epoch + 1}/{self.training.epochs}"
        progress_log = StepProgress(name, self.steps_per_epoch)
        for step in range(self.steps_per_epoch):
            done = epoch * self.steps_per_epoch + step
            progress = done / (self.training.epochs * self.steps_per_epoch)
            rate = learning_rate(self.training.schedule, progress, epoch, errors)
            figures = self._step(
                list(islice(batches, self.training.batches_per_step)), progress, rate
            )
            progress_log.show(figures["loss"])
            for name, value in figures.items():
                totals[name] = totals.get(name, 0.0) + value / self.steps_per_epoch
        return totals | {"learning_rate": rate}

    def _step(self, batches: Sequence[Batch], progress: float, rate: float) -> dict[str, float]:
        """Take a step of the optimiser, on the mean of the batches' gradients."""
        self.loss.progress = progress
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, float] = {}
        for batch in batches:
            # Ranks exchange gradients once per step.
            last = batch is batches[-1]
            with nullcontext() if last else ranks.without_exchange(self.parallel):
                loss, of_batch = self.compute_loss(batch)
                self._check_finite(loss, progress)
                (loss / len(batches)).backward()
            for name, value in ({"loss": loss.item()} | of_batch).items():
                figures[name] = figures.get(name, 0.0) + value / len(batches)
        ranks.average_gradients(self.loss.parameters())
        if self.training.optimiser.clip_norm:
            parameters = [*self.network.parameters(), *self.loss.parameters()]
            nn.utils.clip_grad_norm_(parameters, self.training.optimiser.clip_norm)
        self.optimiser.step()
        return figures

    def compute_loss(self, batch: Batch) -> LossResult:
        """Compute the loss over the batch of all ranks together."""
        with autocast(self.device, self.pace.precision):
            embeddings = self.parallel(batch.chunks.to(self.device, non_blocking=True))
        labels = batch.labels.to(self.device, non_blocking=True)
        others = [labels]
        if batch.targets is not None:
            others.append(batch.targets.to(self.device, non_blocking=True))
        return self.loss(ranks.gather_with_gradients(embeddings), *map(ranks.gather, others))

    def _check_finite(self, loss: Tensor, progress: float) -> None:
        """Refuse to go on with a loss that is infinite or not a number."""
        if not torch.isfinite(loss):
            raise ValueError(
                f"{self.phase}: the loss is {loss.item()} at {progress:.1%} of the steps: "
                f"lower schedule.initial ({self.training.schedule.initial:g}) or the "
                "momentum, or set optimiser.clip_norm"
            )

    def draw_batches(self, epoch: int) -> tuple[int, Iterator[Batch]]:
        """Return a seed for torch, and batches, by the epoch alone: a resumed run repeats."""
        key = (self.experiment.seed, TRAINED.index(self.phase), epoch)
        drawn = self.sampler.epoch(
            self.steps_per_epoch * self.training.batches_per_step, np.random.default_rng(key)
        )
        batches = make_batches(
            self.source, drawn, self.training, self.experiment, key, self.targets
        )
        return int(np.random.SeedSequence(key).generate_state(1)[0]), ahead(batches, BATCHES_AHEAD)

    def judge_network(self) -> dict[str, float]:
        """Return the network's figures on the held-out speakers.

        In distillation `held_out_distance`, too: the mean cosine distance to the teacher.
        """
        embeddings = self.judge.embed(self.network, self.device, self.pace.precision)
        error, mean_cosine = self.judge.evaluate(embeddings)
        figures = {"held_out_eer_percent": 100 * error, "held_out_mean_cosine": mean_cosine}
        if self.targets and isinstance(self.loss, DistillationLoss):
            targets = np.stack([self.targets.of(section) for section in self.judge.sections])
            figures["held_out_distance"] = self.loss.distance(embeddings, targets)
        return figures

    def restore(self, checkpoint: Checkpoint) -> None:
        """Load the state at the end of an epoch."""
        self.network.load_state_dict(checkpoint.network)
        self.loss.load_state_dict(checkpoint.loss)
        self.optimiser.load_state_dict(checkpoint.optimiser)

    def checkpoint(self, epochs: int, history: list[dict[str, float]]) -> Checkpoint:
        """Return the state at the end of an epoch."""
        return Checkpoint(
            experiment=self.experiment.model_dump(mode="json"),
            phase=self.phase,
            network=copy_state(self.network),
            loss=copy_state(self.loss),
            optimiser=self.optimiser.state_dict(),
            speakers=self.speakers,
            epochs=epochs,
            history=history,
            pace=asdict(self.pace),
        )
