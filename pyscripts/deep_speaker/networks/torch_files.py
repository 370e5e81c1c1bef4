"""Files of torch.save: read without running what they hold."""

import re
from pathlib import Path
from typing import Any

import torch

REMEDY = "name another, or fetch or make it anew"
# How torch names the class or function that it refuses to load or to call, in its messages.
REFUSED = re.compile(r"GLOBAL (\S+) (?:was not an allowed global|whose module)")


def read_torch_file(path: Path) -> Any:
    """Return the content of a file of torch.save, in the CPU's memory; weights and plain values.

    Raises:
        ValueError: there is none, it is damaged, or it holds Python objects besides weights.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file: {REMEDY}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise nearly anything
        refused = REFUSED.search(str(error))
        if refused:
            raise ValueError(
                f"{path}: holds Python objects besides weights ({refused[1]}), and unpickling them "
                "could run any code: have the program that wrote it save the state dict alone"
            ) from error
        kind = type(error).__name__
        raise ValueError(
            f"{path}: not a file of torch.save, or damaged ({kind}): {REMEDY}"
        ) from error
