"""The loop of a phase: epoch by epoch, begun, resumed and kept."""

import functools
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from deep_speaker.config import Experiment
from deep_speaker.config.made import check_network, training_sections
from deep_speaker.config.phases import PHASES
from deep_speaker.copies.joining import check_joined
from deep_speaker.embeddings import xvectors
from deep_speaker.features.origins import tables_heard
from deep_speaker.networks.checkpoints import Checkpoint, save_checkpoint
from deep_speaker.networks.origins import note_checkpoint
from deep_speaker.networks.pace import Asked
from deep_speaker.scoring.score_files import STAGE_5_BACKENDS
from deep_speaker.system.files import replace_directory
from deep_speaker.system.origins import RECORD, keep_foreign
from deep_speaker.training import ranks
from deep_speaker.training.history import has_stalled, held_out_errors
from deep_speaker.training.pacing import settle_pace
from deep_speaker.training.position import Position
from deep_speaker.training.recorder import CHECKPOINT_MINUTES, Recorder
from deep_speaker.training.resuming import (
    TEACHERS,
    Beginning,
    find_beginning,
    has_checkpoint,
    list_teachers,
    refuse,
    tell_other_data,
)
from deep_speaker.training.setup import build_trainer, check_alike, check_speakers
from deep_speaker.training.trainer import Trainer

# What is written here into a phase's folder, and by `recorder`.
# Folders of PLDA, which stage 5 wrote by the network before, go with it.
OWN_FILES = STAGE_5_BACKENDS | {
    *("initial.pt", "best.pt", "last.pt", "history.json", "train.log", "tensorboard"),
    *(TEACHERS, RECORD),
}


def train(
    experiment: Experiment,
    phase: str,
    data_dir: Path,
    output: Path,
    initial: Path | None,
    resume: bool,
    device: torch.device,
    asked: Asked,
    teachers: Sequence[Path] = (),
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
) -> None:
    """Train a phase and write `output`/{initial,best,last}.pt, train.log and tensorboard/.

    Until the last epoch is done they lie in `output`.partial, from where `resume` goes on: after
    the last epoch, or within the next one, where a checkpoint is written every so many minutes. Of
    several ranks only the first reads checkpoints, and writes.

    Args:
        asked: of the precision and the threads.
        teachers: folders of teachers' embeddings, of distillation.
    """
    partial = output.with_name(output.name + ".partial")
    found = Beginning()
    if ranks.rank() == 0:
        found = find_beginning(experiment, data_dir, output, partial, initial, resume, teachers)
    start, last, is_finished = ranks.broadcast(found)
    if is_finished:
        return
    check_joined(data_dir, experiment)
    trainer = build_trainer(experiment, phase, data_dir, start, device, teachers)
    check_alike(trainer)
    if initial and ranks.rank() == 0:
        check_network(initial, output, experiment)
    if last is not None:
        check_speakers(last, trainer.speakers)
        refuse(partial, tell_other_data(last, trainer.data))
        trainer.restore(last)
    is_own = initial is not None and initial.absolute().parents[1] == output.absolute().parent
    trainer.pace = settle_pace(trainer, asked, last, start if is_own else None)
    if ranks.rank() > 0:
        run_epochs(trainer, last, None)
        return
    if last is None:
        begin_folder(partial, trainer, resume, teachers)
    try:
        with Recorder(trainer, partial, last, checkpoint_minutes) as recorder:
            run_epochs(trainer, last, recorder)
    except (Exception, KeyboardInterrupt):
        if has_checkpoint(partial):
            logging.info("%s keeps the last checkpoint: the same command goes on", partial)
        raise
    keep_others(output, partial)
    note_network(partial, trainer, initial, teachers)
    replace_directory(output, partial)


def note_network(
    folder: Path, trainer: Trainer, initial: Path | None, teachers: Sequence[Path]
) -> None:
    """Record what the network in a phase's folder was made of."""
    made_of = [*tables_heard(trainer.source.data_dir), *([initial] if initial else [])]
    settings = training_sections(trainer.experiment, PHASES[trainer.phase])
    settings |= {"teachers": [folder.name for folder in teachers]} if teachers else {}
    note_checkpoint(folder / "best.pt", made_of, settings)
    note_checkpoint(folder / "initial.pt")


def keep_others(output: Path, partial: Path) -> None:
    """Keep what other programs have put into a phase's folder, and beside its x-vectors.

    The x-vectors are of the network before, and go: stage 4 makes them anew.
    """
    folders = [path for path in output.glob("xvectors_*") if path.is_dir()]
    kept = keep_foreign(output, partial, OWN_FILES | {path.name for path in folders})
    for folder in folders:
        names = keep_foreign(folder, partial / folder.name, xvectors.OWN_FILES)
        kept += [f"{folder.name}/{name}" for name in names]
    if kept:
        logging.warning(
            "%s: kept %s, which other programs made of the network before", output, ", ".join(kept)
        )


def begin_folder(partial: Path, trainer: Trainer, resume: bool, teachers: Sequence[Path]) -> None:
    """Replace what an earlier run left by the weights that this one starts from."""
    if partial.is_dir() and resume:
        logging.info("%s: it came to no checkpoint; starting anew", partial)
    elif partial.is_dir():
        logging.warning(
            "%s: an unfinished run is discarded (run.sh --resume true goes on with one)", partial
        )
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_checkpoint(partial / "initial.pt", trainer.checkpoint(0, []))
    if teachers:
        (partial / TEACHERS).write_text(list_teachers(teachers), encoding="utf-8")


def run_epochs(trainer: Trainer, last: Checkpoint | None, recorder: Recorder | None) -> None:
    """Train epoch by epoch, from the last checkpoint on, if there is one.

    The first rank, which has the recorder, keeps the epochs.
    """
    history = last.history if last else []
    position = Position(**(last.position or {})) if last else Position()
    while len(history) < trainer.training.epochs:
        if has_stalled(history, trainer.training.patience):
            break
        keep = functools.partial(recorder.keep_within, history) if recorder else None
        figures = trainer.train_epoch(len(history), held_out_errors(history), position, keep)
        began = time.monotonic()
        figures |= trainer.judge_network(together=True)
        history.append(ranks.broadcast(figures))
        if recorder:
            recorder.keep(history, position.seconds, time.monotonic() - began)
        position = Position()
    if recorder:
        recorder.finish(history)
