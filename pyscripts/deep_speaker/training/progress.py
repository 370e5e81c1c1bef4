"""The progress of an epoch: a bar on a terminal, lines of the log where output goes elsewhere."""

import logging
import time

from tqdm import tqdm

from deep_speaker.training import ranks

SECONDS_BETWEEN_LINES = 30.0


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
        self._began = self._last_line = time.monotonic()

    def show(self, loss: float) -> None:
        """Show that one more step is done."""
        self._steps += 1
        self._bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        self._bar.update()
        if self._steps == self._num_steps:
            self._bar.close()
        elif self._bar.disable and self._speaks:
            self._log(loss)

    def _log(self, loss: float) -> None:
        """Write a line if the last one is old enough."""
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES:
            return
        self._last_line = now
        logging.info(
            "%s: step %d of %d, loss %.4g, %.3g steps/s",
            self._name, self._steps, self._num_steps, loss,
            (self._steps - self._done) / (now - self._began),
        )  # fmt: skip
