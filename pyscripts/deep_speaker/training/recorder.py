"""The recorder: the checkpoints and logs of a phase, and the best of its epochs."""

import json
import logging
import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from deep_speaker.config import Triplet
from deep_speaker.networks.checkpoints import (
    Checkpoint,
    average_states,
    load_checkpoint,
    save_checkpoint,
)
from deep_speaker.training.history import (
    CRITERIA,
    best_epoch,
    criterion_of,
    has_collapsed,
    held_out_errors,
)
from deep_speaker.training.position import Position
from deep_speaker.training.resuming import BEFORE, save_last
from deep_speaker.training.trainer import Trainer

CHECKPOINT_MINUTES = 10.0  # between those of a long epoch: a second of writing, or two


class Recorder:
    """Writes a phase's checkpoints and logs into a folder.

    Args:
        last: the checkpoint that the run goes on from. What TensorBoard has of later epochs is of
            a run that came to no checkpoint of them: it shows those of this one instead.
    """

    def __init__(
        self, trainer: Trainer, folder: Path, last: Checkpoint | None, checkpoint_minutes: float
    ) -> None:
        self._trainer = trainer
        self._folder = folder
        self._last = last
        self._log = logging.FileHandler(folder / "train.log")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._board = SummaryWriter(
            str(folder / "tensorboard"), purge_step=last.epochs + 1 if last else None
        )
        self._seconds_between = 60 * checkpoint_minutes
        self._saved = time.monotonic()

    def __enter__(self) -> "Recorder":
        logging.getLogger().addHandler(self._log)
        if self._last:
            within = self._last.position or {"steps": 0}
            logging.info("resuming after epoch %d, step %d", self._last.epochs, within["steps"])
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self._log)
        self._log.close()
        self._board.close()

    def keep_within(self, history: list[dict[str, float]], position: Position) -> None:
        """Write a checkpoint within the epoch after these, if the last one is old enough."""
        if time.monotonic() - self._saved >= self._seconds_between:
            self._save_last(self._trainer.checkpoint(len(history), history, position))

    def _save_last(self, checkpoint: Checkpoint) -> None:
        save_last(self._folder, checkpoint)
        self._saved = time.monotonic()

    def keep(self, history: list[dict[str, float]], training: float, judging: float) -> None:
        """Log the last epoch and write its checkpoint, also as the best if it is.

        Args:
            training, judging: the seconds of each.
        """
        epochs = len(history)
        speed = self._trainer.steps_per_epoch / training
        self._log_epoch(epochs, history[-1], f"{training + judging:.0f} s, {speed:.3g} steps/s")
        checkpoint = self._trainer.checkpoint(epochs, history)
        if best_epoch(history) == epochs - 1:
            save_checkpoint(self._folder / "best.pt", checkpoint)
        if self._trainer.training.average_epochs:
            save_checkpoint(self._folder / f"epoch_{epochs}.pt", checkpoint)
            oldest = epochs - self._trainer.training.average_epochs
            (self._folder / f"epoch_{oldest}.pt").unlink(missing_ok=True)
        # Written after the best: a stop between the two repeats the epoch.
        self._save_last(checkpoint)

    def _log_epoch(self, epochs: int, figures: dict[str, float], pace: str) -> None:
        """Log an epoch's figures and its pace, and warn of a collapse."""
        phase, training = self._trainer.phase, self._trainer.training
        listed = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        logging.info("%s epoch %d/%d: %s (%s)", phase, epochs, training.epochs, listed, pace)
        for name, value in figures.items():
            self._board.add_scalar(f"{phase}/{name}", value, epochs)
        if isinstance(training.loss, Triplet) and has_collapsed(figures, training.loss.margin):
            logging.warning(
                "the embeddings have collapsed: the loss %.4g stands at the margin %g and all "
                "embeddings are alike (mean cosine %.3f); start from pre-trained weights, with "
                "semi_hard negatives and a lower learning rate",
                figures["loss"], training.loss.margin, figures["mean_cosine"],
            )  # fmt: skip

    def finish(self, history: list[dict[str, float]]) -> None:
        """Let the mean of the last epochs' weights compete, and write the history."""
        self._average(history)
        with (self._folder / "history.json").open("w") as file:
            json.dump(history, file, indent=1)
        for path in (*self._folder.glob("epoch_*.pt"), self._folder / BEFORE):
            path.unlink(missing_ok=True)

    def _average(self, history: list[dict[str, float]]) -> None:
        """Judge the mean of the last epochs' weights; it is the best where it errs no more."""
        count = min(self._trainer.training.average_epochs or 0, len(history))
        epochs = range(len(history) - count + 1, len(history) + 1)
        paths = [self._folder / f"epoch_{epoch}.pt" for epoch in epochs]
        # Some are gone where an earlier run was stopped after this.
        if not count or not all(path.is_file() for path in paths):
            return
        checkpoints = [load_checkpoint(path) for path in paths]
        trainer = self._trainer
        trainer.network.load_state_dict(average_states([each.network for each in checkpoints]))
        trainer.loss.load_state_dict(average_states([each.loss for each in checkpoints]))
        figures = trainer.judge_network()
        criterion = criterion_of(figures)
        error = figures[criterion]
        logging.info(
            "mean of the last %d epochs: held-out %s %.4g", count, CRITERIA[criterion], error
        )
        if error <= min(held_out_errors(history)):
            checkpoint = trainer.checkpoint(len(history), history)
            save_checkpoint(self._folder / "best.pt", checkpoint)
