"""Optimisers, and the learning rate over the steps of a phase."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from deep_speaker.config import Optimiser, Schedule


def learning_rate(schedule: Schedule, progress: float) -> float:
    """The rate at a share of the phase's steps (0 to 1): warm-up from 0, then the fall."""
    if progress < schedule.warmup_share:
        return schedule.initial * progress / schedule.warmup_share
    fallen = (progress - schedule.warmup_share) / (1 - schedule.warmup_share or 1)
    remaining = 1 - fallen if schedule.shape == "linear" else (1 + math.cos(math.pi * fallen)) / 2
    return schedule.final + (schedule.initial - schedule.final) * remaining


def build_optimiser(
    parameters: Iterable[nn.Parameter], options: Optimiser
) -> torch.optim.Optimizer:
    """The optimiser; its learning rate is set at every step."""
    if options.name == "sgd":
        return torch.optim.SGD(
            parameters, lr=0.0, momentum=options.momentum, weight_decay=options.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=0.0, weight_decay=options.weight_decay, fused=True)
