"""Experiment files: from YAML and what is laid on top to `Experiment`, and back to one file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deep_speaker.config.experiment import Experiment
from deep_speaker.config.kinds import kind_first
from deep_speaker.config.layers import (
    Layer,
    depth_of,
    merge,
    merge_override,
    read_bases,
    read_override,
)
from deep_speaker.config.mistakes import Mistake, explain
from deep_speaker.config.settings import apply_settings, parse_setting
from deep_speaker.config.yaml_text import format_yaml
from deep_speaker.system.files import replacing_file


def read_experiment(
    path: Path, overrides: Sequence[Path] = (), settings: Sequence[str] = ()
) -> Experiment:
    """Read and check an experiment file.

    Args:
        path: the file, on top of its `base`.
        overrides: files whose keys go on top of it, in turn; see `merge`. What they say of
            fine-tuning is left out where the experiment has none.
        settings: texts `a.b.c=value` that go on top of these, in turn; see `apply_settings`.

    Raises:
        ValueError: one line that names the file and line, the key, its value and the remedy.
    """
    layers = read_bases(path)
    content: dict[str, Any] = {}
    for layer in layers:
        content = merge(content, layer.content)
    for layer in map(read_override, overrides):
        layers.append(layer)
        content = merge_override(content, layer.content)
    parsed = list(map(parse_setting, settings))
    layers += [Layer(setting.as_content(), str(setting)) for setting in parsed]
    return _validate(apply_settings(content, parsed), layers, path)


def write_experiment(
    output: Path, path: Path, overrides: Sequence[Path] = (), settings: Sequence[str] = ()
) -> Experiment:
    """Write what `read_experiment` reads as one file, with every key and without a base.

    Raises:
        ValueError: the result is no experiment; nothing is written then.
    """
    experiment = read_experiment(path, overrides, settings)
    above = [*map(str, overrides), *(f"--set {setting}" for setting in settings)]
    origin = f"{path} with {', '.join(above)}" if above else str(path)
    with replacing_file(output) as file:
        file.write(format_experiment(experiment, origin))
    return experiment


def format_experiment(experiment: Experiment, origin: str) -> str:
    """Return an experiment as a file with every key, without a base; its first line says whence."""
    content = kind_first(experiment.model_dump(mode="json"))
    return f"# {' '.join(origin.split())}\n{format_yaml(content)}"


def _validate(content: Mapping[str, Any], layers: Sequence[Layer], path: Path) -> Experiment:
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        lines = [_locate(explain(detail), content, layers, path) for detail in error.errors()]
        raise ValueError("; ".join(lines)) from None


def _locate(
    mistake: Mistake, content: Mapping[str, Any], layers: Sequence[Layer], path: Path
) -> str:
    """Return a mistake with the place of the uppermost keys and values that it is about."""
    keys = mistake.keys[: depth_of(mistake.keys, content)]
    if not keys:
        return f"{path}: {mistake}"
    uppermost = [layer for layer in layers if depth_of(keys, layer.content) == len(keys)][-1]
    return f"{uppermost.place(keys)}: {mistake}"
