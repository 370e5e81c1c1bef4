"""Phases of training: softmax pre-training, fine-tuning by triplets, and the latter's control."""

import json
import logging
import shutil
import time
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from deep_speaker.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
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
    if last is None:
        if partial.is_dir():
            logging.warning("%s: an unfinished run is discarded (--resume keeps it)", partial)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_checkpoint(partial / "initial.pt", trainer.checkpoint(0, []))
    else:
        check_speakers(last, trainer.speakers)
        trainer.restore(last)
        logging.info("resuming after epoch %d", last.epochs)
    log_file = logging.FileHandler(partial / "train.log")
    log_file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.getLogger().addHandler(log_file)
    try:
        with SummaryWriter(str(partial / "tensorboard")) as board:
            run_epochs(trainer, partial, last, board)
    finally:
        logging.getLogger().removeHandler(log_file)
        log_file.close()
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
    trainer: Trainer, folder: Path, last: Checkpoint | None, board: SummaryWriter
) -> None:
    """Train and judge epoch by epoch; keep the last checkpoint, and the best by held-out EER."""
    history = last.history if last else []
    for epoch in range(len(history), trainer.training.epochs):
        start = time.monotonic()
        figures = trainer.train_epoch(epoch)
        eer, mean_cosine = trainer.held_out.evaluate(trainer.network, trainer.device)
        figures |= {"held_out_eer_percent": 100 * eer, "held_out_mean_cosine": mean_cosine}
        history.append(figures)
        log_epoch(trainer, epoch, figures, time.monotonic() - start, board)
        checkpoint = trainer.checkpoint(epoch + 1, history)
        errors = [past["held_out_eer_percent"] for past in history]
        # Of equals the later: its learning rate is lower, and few speakers soon give 0 %.
        best = max(i for i, error in enumerate(errors) if error == min(errors))
        if best == epoch:
            save_checkpoint(folder / "best.pt", checkpoint)
        # After the best: a stop between the two repeats the epoch.
        save_checkpoint(folder / "last.pt", checkpoint)
        if trainer.training.patience and epoch - best >= trainer.training.patience:
            logging.info("held-out EER above its best for %d epochs: stopping", epoch - best)
            break
    with (folder / "history.json").open("w") as file:
        json.dump(history, file, indent=1)


def log_epoch(
    trainer: Trainer, epoch: int, figures: dict[str, float], seconds: float, board: SummaryWriter
) -> None:
    """Log an epoch's figures, and a collapse where they show one."""
    listed = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    total = trainer.training.epochs
    logging.info("%s epoch %d/%d: %s (%.0f s)", trainer.phase, epoch + 1, total, listed, seconds)
    for name, value in figures.items():
        board.add_scalar(f"{trainer.phase}/{name}", value, epoch + 1)
    options = trainer.training.loss
    if isinstance(options, Triplet) and has_collapsed(figures, options.margin):
        logging.warning(
            "the embeddings have collapsed: the loss %.4g stands at the margin %g and all "
            "embeddings are alike (mean cosine %.3f); start from pre-trained weights, with "
            "semi_hard negatives and a lower learning rate",
            figures["loss"], options.margin, figures["mean_cosine"],
        )  # fmt: skip


def has_collapsed(figures: dict[str, float], margin: float) -> bool:
    """A triplet loss at its margin while all embeddings are alike."""
    at_margin = abs(figures["loss"] - margin) < 0.05 * margin
    return at_margin and figures["mean_cosine"] > 0.95
