"""Optimisers, without torch's compiler.

torch's optimisers import it (`torch._dynamo`) at the first use of what it is not to compile, which
takes longer than the import of torch, in every training anew.
"""

import inspect
from collections.abc import Iterable

import torch
from torch import nn

from deep_speaker.config import Optimiser


def build_optimiser(
    parameters: Iterable[nn.Parameter], options: Optimiser
) -> torch.optim.Optimizer:
    """Build the optimiser; its learning rate is set at every step."""
    _keep_from_compiler()
    decay = options.weight_decay
    if options.name == "sgd":
        return torch.optim.SGD(parameters, lr=0.0, momentum=options.momentum, weight_decay=decay)
    kind = torch.optim.Adam if options.name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=0.0, weight_decay=decay, fused=True)


def take_step(optimiser: torch.optim.Optimizer) -> None:
    """Take a step by the optimiser's own code.

    torch wraps it in hooks, of which there are none here, and in calls of the compiler.
    """
    with torch.no_grad():
        inspect.unwrap(type(optimiser).step)(optimiser)


def _keep_from_compiler() -> None:
    """Mark the methods that import the compiler at their first call as known to it.

    For all optimisers of the process; by what torch 2.13 looks at (`torch._compile`). Another
    version may import the compiler as before.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        plain = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        plain.__dynamo_disable = plain
