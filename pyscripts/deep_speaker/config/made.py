"""What is there of an experiment: which phases were trained, and which x-vectors are of those."""

import logging
from collections.abc import Sequence
from pathlib import Path

from deep_speaker.config.folders import vectors_file
from deep_speaker.config.phases import PHASES
from deep_speaker.config.stages import Stage
from deep_speaker.system.origins import why_stale


def is_there(phase: str, experiment_dir: Path) -> bool:
    """Tell whether a phase was trained; of a control, also whether its start is still there.

    Fine-tuning may have started from imported weights. A control never does: without pre-training
    it is left from a network that was removed.
    """
    if not (experiment_dir / str(PHASES[phase].checkpoint)).exists():
        return False
    if not PHASES[phase].is_control:
        return True
    (start,) = PHASES[phase].starts_from
    there = (experiment_dir / str(PHASES[start].checkpoint)).exists()
    if not there:
        logging.info("%s is left out: the %s that it started from is gone", phase, start)
    return there


def warn_of_stale(experiment_dir: Path, trained: Sequence[str], data_dir: Path) -> None:
    """Warn about networks that were trained after their x-vectors were made."""
    for phase in trained:
        checkpoint = experiment_dir / str(PHASES[phase].checkpoint)
        vectors = vectors_file(experiment_dir, phase, data_dir)
        if vectors.is_file() and why_stale(vectors, [checkpoint]):
            logging.warning(
                "%s was trained after its x-vectors were made: run stage %d too",
                phase, Stage.EMBEDDINGS,
            )  # fmt: skip
