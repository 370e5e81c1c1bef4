"""Phases of training: softmax pre-training, fine-tuning by triplets, and the latter's control."""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from deep_speaker import distributed
from deep_speaker.checkpoints import (
    Checkpoint,
    average_states,
    load_checkpoint,
    save_checkpoint,
)
from deep_speaker.config import Experiment, Triplet
from deep_speaker.files import replace_directory
from deep_speaker.trainer import Trainer, build_trainer, check_speakers


def train(
    experiment: Experiment,
    phase: str,
    data_dir: Path,
    output: Path,
    initial: Path | None,
    resume: bool,
    device: torch.device,
) -> None:
    """Train a phase and write `output`/{initial,best,last}.pt, train.log and tensorboard/.

    Until the last epoch is done all of it lies in `output`.partial, from where `resume` goes on.
    Of several ranks the first alone writes.
    """
    partial = output.with_name(output.name + ".partial")
    start = load_checkpoint(initial) if initial else None
    if resume and output.is_dir() and not partial.is_dir():
        check_same_run(output, experiment, start)
        logging.info("%s is finished; nothing to resume", output)
        return
    last = None
    if resume and (partial / "last.pt").is_file():
        last = check_same_run(partial, experiment, start)
    trainer = build_trainer(experiment, phase, data_dir, start, device)
    if last is not None:
        check_speakers(last, trainer.speakers)
        trainer.restore(last)
        logging.info("resuming after epoch %d", last.epochs)
    if distributed.rank() > 0:
        run_epochs(trainer, last.history if last else [], None)
        return
    if last is None:
        if partial.is_dir():
            logging.warning("%s: an unfinished run is discarded (--resume keeps it)", partial)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_checkpoint(partial / "initial.pt", trainer.checkpoint(0, []))
    with Recorder(trainer, partial) as recorder:
        run_epochs(trainer, last.history if last else [], recorder)
    replace_directory(output, partial)


def check_same_run(folder: Path, experiment: Experiment, start: Checkpoint | None) -> Checkpoint:
    """The last checkpoint of a run to resume, begun with this config and these weights."""
    last = load_checkpoint(folder / "last.pt")
    if last.experiment != experiment.model_dump(mode="json"):
        raise ValueError(f"{folder} was begun with another config: start anew without --resume")
    if start is not None:
        begun = load_checkpoint(folder / "initial.pt").network
        if any(not torch.equal(begun[name], tensor) for name, tensor in start.network.items()):
            raise ValueError(f"{folder} was begun from other weights: start anew without --resume")
    return last


def run_epochs(
    trainer: Trainer, history: list[dict[str, float]], recorder: "Recorder | None"
) -> None:
    """Train epoch by epoch; the first rank, which has the recorder, judges and keeps each."""
    for epoch in range(len(history), trainer.training.epochs):
        start = time.monotonic()
        figures = trainer.train_epoch(epoch, held_out_errors(history))
        if recorder:
            figures |= trainer.judge()
        history.append(distributed.broadcast(figures))
        if recorder:
            recorder.keep(history, time.monotonic() - start)
        stale = epoch - best_epoch(history)
        if trainer.training.patience and stale >= trainer.training.patience:
            if recorder:
                logging.info("held-out EER above its best for %d epochs: stopping", stale)
            break
    if recorder:
        recorder.finish(history)


def held_out_errors(history: Sequence[dict[str, float]]) -> list[float]:
    return [figures["held_out_eer_percent"] for figures in history]


def best_epoch(history: Sequence[dict[str, float]]) -> int:
    """The epoch, from 0, with the lowest held-out EER.

    Of equals the last: its learning rate is lower, and few speakers soon give 0 %.
    """
    errors = held_out_errors(history)
    return max(i for i, error in enumerate(errors) if error == min(errors))


class Recorder:
    """Writes a phase's checkpoints and logs into a folder."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self._trainer = trainer
        self._folder = folder
        self._log = logging.FileHandler(folder / "train.log")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        self._board = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self) -> "Recorder":
        logging.getLogger().addHandler(self._log)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self._log)
        self._log.close()
        self._board.close()

    def keep(self, history: list[dict[str, float]], seconds: float) -> None:
        """Log the last epoch and write its checkpoint, also as the best where it is that."""
        epochs = len(history)
        self._log_epoch(epochs, history[-1], seconds)
        checkpoint = self._trainer.checkpoint(epochs, history)
        if best_epoch(history) == epochs - 1:
            save_checkpoint(self._folder / "best.pt", checkpoint)
        if self._trainer.training.average_epochs:
            save_checkpoint(self._folder / f"epoch_{epochs}.pt", checkpoint)
            oldest = epochs - self._trainer.training.average_epochs
            (self._folder / f"epoch_{oldest}.pt").unlink(missing_ok=True)
        # After the best: a stop between the two repeats the epoch.
        save_checkpoint(self._folder / "last.pt", checkpoint)

    def _log_epoch(self, epochs: int, figures: dict[str, float], seconds: float) -> None:
        """Log an epoch's figures, and a collapse where they show one."""
        phase, training = self._trainer.phase, self._trainer.training
        listed = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        logging.info("%s epoch %d/%d: %s (%.0f s)", phase, epochs, training.epochs, listed, seconds)
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
        paths = sorted(self._folder.glob("epoch_*.pt"))
        if paths:
            trainer = self._trainer
            averaged = average_states([load_checkpoint(path).network for path in paths])
            trainer.network.load_state_dict(averaged)
            figures = trainer.judge()
            error = figures["held_out_eer_percent"]
            logging.info("mean of the last %d epochs: held-out EER %.4g %%", len(paths), error)
            if error <= min(held_out_errors(history)):
                checkpoint = trainer.checkpoint(len(history), history)
                save_checkpoint(self._folder / "best.pt", checkpoint)
            for path in paths:
                path.unlink()
        with (self._folder / "history.json").open("w") as file:
            json.dump(history, file, indent=1)


def has_collapsed(figures: dict[str, float], margin: float) -> bool:
    """A triplet loss at its margin while all embeddings are alike."""
    at_margin = abs(figures["loss"] - margin) < 0.05 * margin
    return at_margin and figures["mean_cosine"] > 0.95
