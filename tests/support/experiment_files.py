"""Experiment files for tests, and what is said of wrong ones."""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deep_speaker.config import read_experiment

CONF = Path(__file__).parents[2] / "conf"
EMBEDDED = CONF / "embedded.yaml"
CONFIGS = sorted(CONF.glob("*.yaml"))
TORCHAUDIO = {"front_end": "torchaudio"}


def edit(tmp_path: Path, key: str, value: object) -> Path:
    """Write a copy of the default experiment, whole, with one dotted key set."""
    content: dict[str, Any] = read_experiment(EMBEDDED).model_dump(mode="json")
    section = content
    *parents, last = key.split(".")
    for parent in parents:
        section = section[parent]
    section[last] = value
    return write(tmp_path / "edited.yaml", yaml.safe_dump(content))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def refusal(path: Path, overrides: tuple[Path, ...] = (), settings: tuple[str, ...] = ()) -> str:
    """Return what is said of an experiment that is refused, which is one line."""
    with pytest.raises(ValueError) as caught:
        read_experiment(path, overrides, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal_in(path: Path) -> str:
    """Return the same of a file without its place, which is this file."""
    place = re.match(rf"{re.escape(str(path))}(:\d+)?: ", message := refusal(path))
    assert place, message
    return message.removeprefix(place[0])


def names_in(annotation: object) -> Iterator[object]:
    """Yield the names that a value of this type may be one of."""
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        yield from parts
    else:
        for part in parts:
            yield from names_in(part)
