"""Answers of `deep-speaker` to command lines."""

from collections.abc import Callable
from typing import NamedTuple


class Answer(NamedTuple):
    """What a command printed, and its exit status."""

    out: str
    err: str
    status: int


Command = Callable[..., Answer]
