"""The pace of a phase: what is asked for, what a resumed run began with, else by trial steps."""

import copy
import logging
from dataclasses import replace

import torch

from deep_speaker.networks.checkpoints import Checkpoint
from deep_speaker.networks.pace import Asked, Pace, Step, choose_pace
from deep_speaker.training import ranks
from deep_speaker.training.trainer import Trainer


def settle_pace(
    trainer: Trainer, asked: Asked, resumed: Checkpoint | None, before: Checkpoint | None = None
) -> Pace:
    """Choose the pace of a phase, the same on all ranks, and say so.

    A resumed run keeps to the pace it began with, so that it ends as it would have without a stop;
    unless another is asked for. A phase that goes on from another one keeps to its pace too: the
    network is the same, and trial steps take as long as dozens of others.

    Args:
        before: the checkpoint of this experiment that the phase starts from, if it does.
    """
    kept = resumed or before
    begun = Asked(**kept.pace) if kept and kept.pace else Asked()
    wanted = Asked(asked.precision or begun.precision, asked.threads or begun.threads)
    pace, said = choose_pace(trainer.device, wanted, lambda: make_trial(trainer), ranks.broadcast)
    if ranks.rank() == 0:
        logging.info("%s: %s", trainer.phase, said)
        if resumed and resumed.pace and pace != Pace(**resumed.pace):
            logging.warning(
                "%s began in %s: it will not end as without the stop",
                trainer.phase, Pace(**resumed.pace),
            )  # fmt: skip
    return pace


def make_trial(trainer: Trainer) -> Step:
    """Return what takes a trial step: the loss and the gradients of the phase's first batch.

    Copies of network and loss take it, and the random numbers it draws are put back: the training
    is as if no trial had been. All ranks have to try at once.
    """
    network, loss = copy.deepcopy(trainer.network).train(), copy.deepcopy(trainer.loss)
    twin = replace(trainer, network=network, parallel=network, loss=loss)
    batch = next(trainer.draw_batches(0)[1])

    def step(pace: Pace) -> None:
        twin.pace = pace
        network.zero_grad(set_to_none=True)
        loss.zero_grad(set_to_none=True)
        with torch.random.fork_rng(devices=[]):
            twin.compute_loss(batch)[0].backward()

    return step
