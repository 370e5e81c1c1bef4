"""Inputs that people who do this job reported as troublesome, made small; what is right for each.

A case builds its files below a folder and returns the words of local/prepare_<corpus>.py after the
output. It is right where stages 0 and 1 take it and leave as many utterances as `left` says, or
refuse it with the cause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.speech import write_speech

Words = list[str | Path]
Build = Callable[[Path], Words]
SPEAKERS, UTTERANCES = 5, 5
ALL = SPEAKERS * UTTERANCES  # one bad file of them is below the share that stops a stage


@dataclass(frozen=True)
class Case:
    """An input and what is right for it.

    Attributes:
        build: makes the files, and returns the words of the command line after the output.
        left: utterances after stage 1; None: it is refused.
        says: a pattern of what is logged, or of the error.
        between: changes files after stage 0.
    """

    corpus: str
    build: Build
    left: int | None
    says: str
    between: Callable[[Path], None] | None = None


CASES: dict[str, Case] = {}


def case(
    corpus: str,
    left: int | None,
    says: str = "",
    between: Callable[[Path], None] | None = None,
) -> Callable[[Build], Build]:
    """Add a case of the function's name."""

    def add(build: Build) -> Build:
        CASES[build.__name__] = Case(corpus, build, left, says, between)
        return build

    return add


def speakers(folder: Path, suffix: str = "wav") -> Path:
    """A folder of speakers."""
    names = [f"s{i}/{j}.{suffix}" for i in range(SPEAKERS) for j in range(UTTERANCES)]
    write_speech(folder / "speech", names)
    return folder / "speech"


def of_folder(folder: Path) -> Words:
    return ["--corpus-dir", folder / "speech"]
