"""Where published weights come from: how a project names and lays out those of a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from deep_speaker.config import Experiment


@dataclass(frozen=True)
class Source:
    """A project that published weights.

    Attributes:
        read: returns the weights in a file, by the project's names; refuses those made with
            another front end than the experiment's.
        their_name: of a parameter or buffer, given ours.
        convert: a tensor of theirs, by our name of it, to our axes.
    """

    project: str
    read: Callable[[Path, Experiment], dict[str, Tensor]]
    their_name: Callable[[str], str]
    convert: Callable[[str, Tensor], Tensor]


def translate(
    source: Source, theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """Return their weights by our names, in our axes.

    Args:
        ours: names and shapes; also the counts of batches, which theirs may lack.

    Raises:
        ValueError: they are not exactly those of our network.
    """
    names = {source.their_name(name): name for name in ours}
    found = {
        name: source.convert(name, theirs[their_name])
        for their_name, name in names.items()
        if their_name in theirs
    }
    problems = {
        "missing": [
            their_name
            for their_name, name in names.items()
            if name not in found and not name.endswith("num_batches_tracked")
        ],
        "unexpected": [their_name for their_name in theirs if their_name not in names],
        "of another shape": [
            f"{their_name} {tuple(theirs[their_name].shape)} makes {tuple(found[name].shape)}, "
            f"not {tuple(ours[name].shape)}"
            for their_name, name in names.items()
            if name in found and found[name].shape != ours[name].shape
        ],
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {some(items)}" for kind, items in problems.items() if items)
        raise ValueError(f"{where} of the config is not the network of this file: {listed}")
    return {**ours, **found}


def some(items: list[str], most: int = 5) -> str:
    """Name the first few of a list, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
