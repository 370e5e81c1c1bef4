"""The trainer: the objects of a phase, and one epoch of it."""

import time
from collections.abc import Callable, Iterator, Sequence
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
from deep_speaker.networks.devices import autocast, move
from deep_speaker.networks.pace import Pace
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.system.processes import ahead
from deep_speaker.training import ranks
from deep_speaker.training.batch_norm import fix_statistics
from deep_speaker.training.batches import BATCHES_AHEAD, Batch, make_batches
from deep_speaker.training.judge import Judge
from deep_speaker.training.optimisers import take_step
from deep_speaker.training.position import Position
from deep_speaker.training.progress import StepProgress
from deep_speaker.training.samplers import SpeakerBatches
from deep_speaker.training.schedules import learning_rate
from deep_speaker.training.targets import Targets
from deep_speaker.training.watch import LossWatch


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
        data: a hash of what it trains and judges on; see `FeatureSource.digest`.
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
    data: str
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.watch = LossWatch(self.phase, self.device, self._calmer())

    def train_epoch(
        self,
        epoch: int,
        errors: Sequence[float],
        position: Position | None = None,
        keep: Callable[[Position], None] | None = None,
    ) -> dict[str, float]:
        """Take the steps of one epoch, or those that are left of it.

        Args:
            errors: held-out errors of the epochs before; see `held_out_errors`.
            position: where it goes on, with the state of the trainer there; moves along.
            keep: called where the epoch may be interrupted, after all steps but the last.

        Returns:
            The means of the loss and of the figures it logs, and the last learning rate.
        """
        position = position or Position()
        self.network.train()
        if self.training.fixed_batch_norm:
            fix_statistics(self.network)
        seed, batches = self.draw_batches(epoch, position.steps)
        torch.manual_seed(seed)
        position.set_random(self.device)
        began = time.monotonic() - position.seconds
        rate = 0.0
        name = f"{self.phase} epoch {epoch + 1}/{self.training.epochs}"
        progress_log = StepProgress(name, self.steps_per_epoch, position.steps)
        for step in range(position.steps, self.steps_per_epoch):
            done = epoch * self.steps_per_epoch + step
            progress = done / (self.training.epochs * self.steps_per_epoch)
            rate = learning_rate(self.training.schedule, progress, epoch, errors)
            place = f"in epoch {epoch + 1}, step {step + 1} of {self.steps_per_epoch}"
            some = list(islice(batches, self.training.batches_per_step))
            figures = self._step(some, progress, rate, place)
            progress_log.show(figures["loss"])
            position.add(figures, self.steps_per_epoch, time.monotonic() - began)
            if keep and position.steps < self.steps_per_epoch:
                keep(position)
        self._check(epoch, position)
        return position.figures() | {"learning_rate": rate}

    def _step(
        self, batches: Sequence[Batch], progress: float, rate: float, place: str
    ) -> dict[str, Tensor | float]:
        """Take a step of the optimiser, on the mean of the batches' gradients.

        It does not wait until a GPU has done it.

        Args:
            place: its epoch and number, to be named where it fails.
        """
        self.loss.progress = progress
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, Tensor | float] = {}
        for batch in batches:
            # Ranks exchange gradients once per step.
            last = batch is batches[-1]
            with nullcontext() if last else ranks.without_exchange(self.parallel):
                loss, of_batch = self.compute_loss(batch)
                self.watch.add(loss, place, batch.utterances)
                (loss / len(batches)).backward()
            for name, value in ({"loss": loss.detach()} | of_batch).items():
                value = value.double() if isinstance(value, Tensor) else value
                figures[name] = figures.get(name, 0.0) + value / len(batches)
        ranks.average_gradients(self.loss.parameters())
        if self.training.optimiser.clip_norm:
            parameters = [*self.network.parameters(), *self.loss.parameters()]
            nn.utils.clip_grad_norm_(parameters, self.training.optimiser.clip_norm)
        take_step(self.optimiser)
        return figures

    def compute_loss(self, batch: Batch) -> LossResult:
        """Compute the loss over the batch of all ranks together."""
        with autocast(self.device, self.pace.precision):
            embeddings = self.parallel(batch.chunks)
        grouped = self.loss.groups_by_label
        others = [batch.labels if grouped else move(batch.labels, self.device)]
        if batch.targets is not None:
            others.append(ranks.gather(batch.targets))
        return self.loss(ranks.gather_with_gradients(embeddings), *others)

    def _check(self, epoch: int, position: Position) -> None:
        """Refuse to go on with, judge or keep what is infinite or not a number."""
        self.watch.look()
        states = (self.network.state_dict(), self.loss.state_dict())
        for name, tensor in (pair for state in states for pair in state.items()):
            if not tensor.isfinite().all():
                raise ValueError(
                    f"{self.phase}: weights of {name} are not finite in epoch {epoch + 1}, after "
                    f"step {position.steps} of {self.steps_per_epoch}: {self._calmer()}"
                )

    def _calmer(self) -> str:
        """Say what keeps a training from running away."""
        initial = self.training.schedule.initial
        return f"lower schedule.initial ({initial:g}) or the momentum, or set optimiser.clip_norm"

    def draw_batches(self, epoch: int, steps: int = 0) -> tuple[int, Iterator[Batch]]:
        """Return a seed for torch, and batches, by the epoch alone: a resumed run repeats.

        Args:
            steps: those of the first steps are drawn, but not made.
        """
        key = (self.experiment.seed, TRAINED.index(self.phase), epoch)
        drawn = self.sampler.epoch(
            self.steps_per_epoch * self.training.batches_per_step, np.random.default_rng(key)
        )
        batches = make_batches(
            self.source, drawn, self.training, self.experiment, key, self.targets,
            steps * self.training.batches_per_step,
        )  # fmt: skip
        moved = (batch.to(self.device) for batch in batches)
        return int(np.random.SeedSequence(key).generate_state(1)[0]), ahead(moved, BATCHES_AHEAD)

    def judge_network(self, together: bool = False) -> dict[str, float]:
        """Return the network's figures on the held-out speakers.

        In distillation `held_out_distance`, too: the mean cosine distance to the teacher.

        Args:
            together: all ranks judge the network of the first one, and have to call it.
        """
        if together:
            ranks.share_statistics(self.network)
        embeddings = self.judge.embed(self.network, self.device, self.pace.precision, together)
        error, mean_cosine = self.judge.evaluate(embeddings)
        figures = {"held_out_eer_percent": 100 * error, "held_out_mean_cosine": mean_cosine}
        if self.targets and isinstance(self.loss, DistillationLoss):
            targets = np.stack([self.targets.of(section) for section in self.judge.sections])
            figures["held_out_distance"] = self.loss.distance(embeddings, targets)
        return figures

    def restore(self, checkpoint: Checkpoint) -> None:
        """Load the state at the end of an epoch, or within one."""
        self.network.load_state_dict(checkpoint.network)
        self.loss.load_state_dict(checkpoint.loss)
        self.optimiser.load_state_dict(checkpoint.optimiser)

    def checkpoint(
        self, epochs: int, history: list[dict[str, float]], position: Position | None = None
    ) -> Checkpoint:
        """Return the state after so many epochs, and the steps of another up to a position.

        Raises:
            ValueError: weights are not finite.
        """
        self._check(epochs, position or Position())
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
            position=position.content(self.device) if position else None,
            data=self.data,
        )
