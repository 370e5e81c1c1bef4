"""The history of a phase: the figures of its epochs, and what they tell."""

import logging
from collections.abc import Mapping, Sequence

from deep_speaker.training import ranks

History = Sequence[Mapping[str, float]]


# What epochs are chosen by, the first that a phase has, and how it is called in the log: distances
# need no labels, and have little noise.
CRITERIA = {"held_out_distance": "distance to the teacher", "held_out_eer_percent": "EER"}


def criterion_of(figures: Mapping[str, float]) -> str:
    """Return the one of `CRITERIA` by which a phase with these figures chooses its epochs."""
    return next(name for name in CRITERIA if name in figures)


def held_out_errors(history: History) -> list[float]:
    """Return the error on the held-out speakers after each epoch: lower is better.

    The EER in percent; in distillation the mean cosine distance to the teacher.
    """
    return [figures[criterion_of(figures)] for figures in history]


def best_epoch(history: History) -> int:
    """Return the epoch, from 0, with the lowest held-out error.

    Of equals the last: its learning rate is lower, and few speakers soon give 0 %.
    """
    errors = held_out_errors(history)
    return max(i for i, error in enumerate(errors) if error == min(errors))


def has_stalled(history: History, patience: int | None) -> bool:
    """Tell whether the held-out error has been above its best for `patience` epochs."""
    if not patience or not history or len(history) - 1 - best_epoch(history) < patience:
        return False
    if ranks.rank() == 0:
        name = CRITERIA[criterion_of(history[-1])]
        logging.info("held-out %s above its best for %d epochs: stopping", name, patience)
    return True


def has_collapsed(figures: Mapping[str, float], margin: float) -> bool:
    """Tell whether a triplet loss stands at its margin while all embeddings are alike."""
    at_margin = abs(figures["loss"] - margin) < 0.05 * margin
    return at_margin and figures["mean_cosine"] > 0.95
