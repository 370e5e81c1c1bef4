"""The phases of an experiment, and the training options of each."""

from collections.abc import Sequence
from pathlib import Path

from deep_speaker.config import Experiment, MarginSoftmax, Training

PHASES = ("pretraining", "finetuning", "pretraining_continued")


def phases_of(experiment: Experiment) -> tuple[str, ...]:
    """The phases that an experiment trains, in order; without fine-tuning just the first."""
    return PHASES if experiment.finetuning else PHASES[:1]


def phase_config(experiment: Experiment, phase: str) -> Training:
    """The training options of a phase.

    `pretraining_continued` is what fine-tuning is to be compared with: the loss and batches of
    pre-training, for the steps and with the learning rates of fine-tuning.

    Raises:
        ValueError: the experiment has no such phase.
    """
    if phase == "pretraining":
        return experiment.pretraining
    if experiment.finetuning is None:
        raise ValueError(f"the experiment has no finetuning section, so no phase {phase}")
    if phase == "finetuning":
        return experiment.finetuning
    keys = ("epochs", "steps_per_epoch", "patience", "average_epochs", "schedule", "optimiser")
    changes = {key: getattr(experiment.finetuning, key) for key in keys}
    loss = experiment.pretraining.loss
    if isinstance(loss, MarginSoftmax):  # the margin has risen before
        changes["loss"] = loss.model_copy(update={"margin_from": 0, "margin_to": 0})
    return experiment.pretraining.model_copy(update=changes)


# Rows that nothing has been learnt for, which trained phases are measured against.
FLOORS = ("statistics", "statistics_no_mean", "untrained")
LAST_PHASES = ("finetuning", "pretraining", "initial_model")  # the first that there is


def is_floor(phase: str) -> bool:
    return phase in FLOORS


def final_phase(phases: Sequence[str]) -> str:
    """The phase that an experiment is for: fine-tuning, else pre-training, else imported weights.

    >>> final_phase(["statistics", "untrained", "pretraining", "pretraining_continued"])
    'pretraining'
    """
    return next((phase for phase in LAST_PHASES if phase in phases), phases[-1])


def xvector_dir(experiment_dir: Path, phase: str) -> Path:
    """The x-vectors of the test set that a final phase stands for.

    Trained phases have the experiment's own, others their own; a phase without any, such as one
    of fused systems, the experiment's.
    """
    own = experiment_dir / phase / "xvectors_test"
    shared = phase in LAST_PHASES[:2] or not own.is_dir()
    return experiment_dir / "xvectors_test" if shared else own
