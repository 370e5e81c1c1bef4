"""Files and settings that make up an experiment, each on top of those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep_speaker.config.kinds import same_kind
from deep_speaker.config.yaml_text import line_of, read_yaml

PHASES_TO_LEAVE_OUT = ("distillation", "pretraining", "finetuning")  # sections that may be null


def depth_of(keys: Sequence[str], content: Any) -> int:
    """Return how many of these nested keys are there.

    >>> depth_of(["network", "name"], {"network": {}}), depth_of([], {"network": {}})
    (1, 0)
    """
    for depth, key in enumerate(keys):
        if not isinstance(content, Mapping) or key not in content:
            return depth
        content = content[key]
    return len(keys)


@dataclass(frozen=True)
class Layer:
    """Keys and values from one place: a file, or `--set key=value`."""

    content: Mapping[str, Any]
    origin: Path | str

    def place(self, keys: Sequence[str]) -> str:
        """Return where these keys stand, as `file:line`."""
        if isinstance(self.origin, str) or not keys:
            return str(self.origin)
        return f"{self.origin}:{line_of(self.origin, keys)}"


def read_bases(path: Path, above: tuple[Path, ...] = ()) -> list[Layer]:
    """Read an experiment file and those it is based on, the lowest first.

    `base` is a path from the folder of the file that names it.
    """
    chain = (*above, path)
    if path.resolve() in [file.resolve() for file in above]:
        raise ValueError(f"{above[0]}: base: goes in a circle: {' -> '.join(map(str, chain))}")
    content = read_yaml(path)
    if "base" not in content:
        return [Layer(content, path)]
    base, place = content.pop("base"), f"{path}:{line_of(path, ['base'])}: base"
    if not isinstance(base, str) or not base:
        raise ValueError(f"{place}: expected the path of an experiment file, got {base!r}")
    if not (path.parent / base).is_file():
        raise ValueError(f"{place}: {path.parent / base}: no such experiment file")
    return [*read_bases(path.parent / base, chain), Layer(content, path)]


def read_override(path: Path) -> Layer:
    """Read a file that goes on top of any experiment."""
    content = read_yaml(path)
    if "base" in content:
        line = line_of(path, ["base"])
        raise ValueError(f"{path}:{line}: base: an override goes on top of any experiment")
    return Layer(content, path)


def merge(below: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys and values with changes on top.

    A key inside a section replaces that key, with all below it; a section of another kind replaces
    the whole section.

    >>> below = {"network": {"name": "gru", "layers": 3}, "scoring": {"lda_dim": 9}}
    >>> merge(below, {"network": {"layers": 2}, "scoring": {"cohort_size": 50}})
    {'network': {'name': 'gru', 'layers': 2}, 'scoring': {'lda_dim': 9, 'cohort_size': 50}}
    >>> merge(below, {"network": {"name": "tdnn"}})["network"]
    {'name': 'tdnn'}
    """
    merged = dict(below)
    for name, value in changes.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict) and same_kind(before, value):
            value = before | value
        merged[name] = value
    return merged


def merge_override(below: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge, but for what is said of a phase that the experiment does not have.

    A distillation with its loss is whole: that is given to it.
    """
    left_out = {
        name
        for name in PHASES_TO_LEAVE_OUT
        if changes.get(name) and not below.get(name) and not _is_whole(name, changes[name])
    }
    return merge(below, {key: value for key, value in changes.items() if key not in left_out})


def _is_whole(phase: str, section: object) -> bool:
    return phase == "distillation" and isinstance(section, Mapping) and "loss" in section
