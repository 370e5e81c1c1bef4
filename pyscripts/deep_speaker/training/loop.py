"""The loop of a phase: epoch by epoch, begun, resumed and kept."""

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
from deep_speaker.networks.checkpoints import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    trained_with,
)
from deep_speaker.networks.origins import note_checkpoint
from deep_speaker.networks.pace import Asked
from deep_speaker.scoring.score_files import STAGE_5_BACKENDS
from deep_speaker.system.files import read_utf8, replace_directory
from deep_speaker.system.origins import RECORD, keep_foreign
from deep_speaker.training import ranks
from deep_speaker.training.history import has_stalled, held_out_errors
from deep_speaker.training.pacing import settle_pace
from deep_speaker.training.recorder import Recorder
from deep_speaker.training.setup import build_trainer, check_speakers
from deep_speaker.training.trainer import Trainer

TEACHERS = "teachers"  # a file of a phase's folder, with the names of its teachers' folders
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
) -> None:
    """Train a phase and write `output`/{initial,best,last}.pt, train.log and tensorboard/.

    Until the last epoch is done they lie in `output`.partial, from where `resume` goes on. Of
    several ranks only the first writes.

    Args:
        asked: of the precision and the threads.
        teachers: folders of teachers' embeddings, of distillation.
    """
    partial = output.with_name(output.name + ".partial")
    start = load_checkpoint(initial) if initial else None
    if resume and output.is_dir() and not partial.is_dir():
        check_same_run(output, experiment, start, teachers)
        logging.info("%s is finished; nothing to resume", output)
        return
    last = None
    if resume and (partial / "last.pt").is_file():
        last = check_same_run(partial, experiment, start, teachers)
    check_joined(data_dir, experiment)
    trainer = build_trainer(experiment, phase, data_dir, start, device, teachers)
    if initial:
        check_network(initial, output, experiment)
    if last is not None:
        check_speakers(last, trainer.speakers)
        trainer.restore(last)
        logging.info("resuming after epoch %d", last.epochs)
    trainer.pace = settle_pace(trainer, asked, last)
    history = last.history if last else []
    if ranks.rank() > 0:
        run_epochs(trainer, history, None)
        return
    if last is None:
        begin_folder(partial, trainer, resume, teachers)
    try:
        with Recorder(trainer, partial) as recorder:
            run_epochs(trainer, history, recorder)
    except KeyboardInterrupt:
        if (partial / "last.pt").is_file():
            logging.info("%s has the whole epochs: run.sh --resume true goes on with them", partial)
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


def check_same_run(
    folder: Path, experiment: Experiment, start: Checkpoint | None, teachers: Sequence[Path]
) -> Checkpoint:
    """Return the last checkpoint of a run.

    Raises:
        ValueError: it is of another config, of other first weights, or by other teachers.
    """
    last = load_checkpoint(folder / "last.pt")
    asked = experiment.model_dump(mode="json")
    if trained_with(last) | {"scoring": None} != asked | {"scoring": None}:
        raise ValueError(f"{folder} was begun with another config: start anew without --resume")
    if start is not None:
        begun = load_checkpoint(folder / "initial.pt").network
        if any(not torch.equal(begun[name], tensor) for name, tensor in start.network.items()):
            raise ValueError(f"{folder} was begun from other weights: start anew without --resume")
    if teachers and read_utf8(folder / TEACHERS) != list_teachers(teachers):
        raise ValueError(f"{folder} was begun by other teachers: start anew without --resume")
    return last


def list_teachers(teachers: Sequence[Path]) -> str:
    """Return the names of teachers' folders, which tell all that decides their embeddings."""
    return "".join(f"{folder.name}\n" for folder in teachers)


def begin_folder(partial: Path, trainer: Trainer, resume: bool, teachers: Sequence[Path]) -> None:
    """Replace what an earlier run left by the weights that this one starts from."""
    if partial.is_dir() and resume:
        logging.info("%s: no epoch was finished; starting anew", partial)
    elif partial.is_dir():
        logging.warning(
            "%s: an unfinished run is discarded (run.sh --resume true goes on with one)", partial
        )
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_checkpoint(partial / "initial.pt", trainer.checkpoint(0, []))
    if teachers:
        (partial / TEACHERS).write_text(list_teachers(teachers), encoding="utf-8")


def run_epochs(
    trainer: Trainer, history: list[dict[str, float]], recorder: Recorder | None
) -> None:
    """Train epoch by epoch; the first rank, which has the recorder, judges and keeps them."""
    for epoch in range(len(history), trainer.training.epochs):
        if has_stalled(history, trainer.training.patience):
            break
        start = time.monotonic()
        figures = trainer.train_epoch(epoch, held_out_errors(history))
        speed = trainer.steps_per_epoch / (time.monotonic() - start)
        if recorder:
            figures |= trainer.judge_network()
        history.append(ranks.broadcast(figures))
        if recorder:
            recorder.keep(history, time.monotonic() - start, speed)
    if recorder:
        recorder.finish(history)
