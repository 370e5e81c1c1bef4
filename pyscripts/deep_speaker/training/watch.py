"""The watch over losses: one that is infinite or no number ends a training."""

import logging
import math
from collections.abc import Sequence
from typing import NoReturn

import torch
from torch import Tensor

from deep_speaker.training import ranks

# On a GPU, losses are looked at after so many batches, before a checkpoint, and after an epoch: to
# look at one is to wait until it is computed. On a CPU it is there, and each is looked at at once.
BATCHES_BETWEEN_LOOKS = 50


class LossWatch:
    """Looks at the losses of batches, of several at a time where that spares waiting."""

    def __init__(self, phase: str, device: torch.device, remedy: str) -> None:
        self._phase, self._remedy = phase, remedy
        self._at_once = 1 if device.type == "cpu" else BATCHES_BETWEEN_LOOKS
        self._unseen: list[tuple[Tensor, str, Sequence[str]]] = []

    def add(self, loss: Tensor, place: str, utterances: Sequence[str]) -> None:
        """Note the loss of a batch.

        Args:
            place: words for its epoch and step, to be named if it is not finite.
            utterances: those of the batch, likewise.

        Raises:
            ValueError: see `look`.
        """
        self._unseen.append((loss.detach(), place, utterances))
        if len(self._unseen) >= self._at_once:
            self.look()

    def look(self) -> None:
        """Look at the losses that were noted since the last time.

        Raises:
            ValueError: one is not finite; the first such is named. The features are finite, as
                `ArchiveTable` reads no others.
        """
        unseen, self._unseen = self._unseen, []
        values = torch.stack([loss for loss, _, _ in unseen]).tolist() if unseen else []
        for value, (_, place, utterances) in zip(values, unseen, strict=True):
            if not math.isfinite(value):
                self._refuse(value, place, utterances)

    def _refuse(self, loss: float, place: str, utterances: Sequence[str]) -> NoReturn:
        if ranks.rank() == 0:
            logging.info("utterances of that batch: %s", " ".join(utterances))
        raise ValueError(
            f"{self._phase}: the loss is {loss} {place}, on {len(utterances)} utterances from "
            f"{utterances[0]!r} on: {self._remedy}"
        )
