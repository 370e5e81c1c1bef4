"""The history of a phase: the figures of its epochs, and what they tell."""

import logging
from collections.abc import Mapping, Sequence

from deep_speaker.training import ranks

History = Sequence[Mapping[str, float]]


def held_out_errors(history: History) -> list[float]:
    """Return the EER on the held-out speakers after each epoch, in percent."""
    return [figures["held_out_eer_percent"] for figures in history]


def best_epoch(history: History) -> int:
    """Return the epoch, from 0, with the lowest held-out EER.

    Of equals the last: its learning rate is lower, and few speakers soon give 0 %.
    """
    errors = held_out_errors(history)
    return max(i for i, error in enumerate(errors) if error == min(errors))


def has_stalled(history: History, patience: int | None) -> bool:
    """Tell whether the held-out EER has been above its best for `patience` epochs."""
    if not patience or not history or len(history) - 1 - best_epoch(history) < patience:
        return False
    if ranks.rank() == 0:
        logging.info("held-out EER above its best for %d epochs: stopping", patience)
    return True


def has_collapsed(figures: Mapping[str, float], margin: float) -> bool:
    """Tell whether a triplet loss stands at its margin while all embeddings are alike."""
    at_margin = abs(figures["loss"] - margin) < 0.05 * margin
    return at_margin and figures["mean_cosine"] > 0.95
