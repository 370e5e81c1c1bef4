"""The progress of an epoch: a bar on a terminal, lines of the log where output goes elsewhere."""

import logging
import time

from torch import Tensor
from tqdm import tqdm

from deep_speaker.training import ranks

SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_LOSSES = 1.0  # of the bar: to read one is to wait until a GPU has computed it


class StepProgress:
    """Shows how far an epoch is; of several ranks the first one does."""

    def __init__(self, name: str, num_steps: int, done: int = 0) -> None:
        """Begin an epoch, called by its name, of so many steps; an earlier run has done some."""
        self._name, self._num_steps = name, num_steps
        self._speaks = ranks.rank() == 0
        self._bar = tqdm(
            total=num_steps,
            initial=done,
            desc=name,
            disable=None if self._speaks else True,
            leave=False,
        )
        self._steps = self._done = done
        self._began = self._last_loss = time.monotonic()

    def show(self, loss: Tensor | float) -> None:
        """Show that one more step is done; its loss only where the last one shown is old enough."""
        self._steps += 1
        self._bar.update()
        if self._steps == self._num_steps:
            self._bar.close()
        elif self._speaks:
            self._show_loss(loss)

    def _show_loss(self, loss: Tensor | float) -> None:
        now = time.monotonic()
        pause = SECONDS_BETWEEN_LINES if self._bar.disable else SECONDS_BETWEEN_LOSSES
        if now - self._last_loss < pause:
            return
        self._last_loss = now
        if not self._bar.disable:
            self._bar.set_postfix(loss=f"{float(loss):.3f}", refresh=False)
            return
        logging.info(
            "%s: step %d of %d, loss %.4g, %.3g steps/s",
            self._name, self._steps, self._num_steps, float(loss),
            (self._steps - self._done) / (now - self._began),
        )  # fmt: skip
